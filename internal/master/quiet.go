package master

import (
	"slices"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
)

// An heir that makes the region larger copies it while nobody changes it: this
// master's workers leave, and connections wait in the queues meanwhile. Should
// the heir fail, workers are started over the region as it was.

// copyLimit is the time that an heir has from then on.
const copyLimit = 10 * time.Minute

// quiesce tells the workers to leave, and has nobody follow them.
func (c *crew) quiesce() {
	c.quiet = true
	c.heir.due = time.Now().Add(c.limit + stopGrace + copyLimit)
	c.log.Info("new connections wait until the new master has made the region larger", "pid", c.heir.pid, "limit", c.limit)
	for _, w := range slices.Clone(c.workers) {
		if w.phase == serving {
			c.makeWay(w)
		}
	}
	c.checkQuiet()
}

// makeWay dismisses a worker and has it leave what waits in its queue.
func (c *crew) makeWay(w *worker) {
	if err := c.procs.tell(w.pid, handoff.LifelineLeaveQueues); err != nil {
		c.log.Warn("worker cannot be told to leave its queue", w.attrs("reason", err)...)
	}
	c.dismiss(w)
}

// checkQuiet tells the heir when the last worker is gone.
func (c *crew) checkQuiet() {
	if !c.quiet || c.heir == nil || c.heir.copies || len(c.workers) > 0 {
		return
	}
	c.heir.copies = true
	if _, err := (handoff.ReadyMessage{Ready: true}).WriteTo(c.heir.channel); err != nil {
		c.log.Warn("the new master does not listen", "pid", c.heir.pid, "reason", err)
	}
}

// wake starts workers again, where an heir failed for which they had left.
func (c *crew) wake() {
	if !c.quiet {
		return
	}
	c.endQuiet()
	for _, s := range slices.Clone(c.seats) {
		if s.worker == nil {
			c.start(s)
		}
	}
}

// endQuiet lets workers be started again. Who is on the way out has left the queue
// to them, however long its last request takes.
func (c *crew) endQuiet() {
	if !c.quiet {
		return
	}
	c.quiet = false
	for _, s := range c.seats {
		if s.worker != nil && s.worker.phase == leaving {
			s.empty(s.worker)
		}
	}
}
