package master

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/shm"
)

// lastWords is the wait for the reason of a worker that has ended already.
const lastWords = time.Second

// death is the end of a worker, kept until it is logged.
type death struct {
	worker  *worker
	exit    exit
	cause   cause
	wait    time.Duration
	asked   bool // it was told to leave, or killed by the master
	left    bool // it finished what it had, and ended by itself
	vacates bool // nobody is in its seat now, and somebody should be
	last    bool // of a retired seat, and it may have left connections in its queue
	repairs shm.Recovery
	lived   time.Duration
	reason  string // as far as it is known
}

// reap deals with every process that has ended. The order is what keeps the
// region whole: first the dead are repaired, all of them, since the living may
// wait for their locks; then their seats are filled; the log comes last,
// because connections wait in the queue of the empty seat.
func (c *crew) reap() {
	var deaths []death
	for _, e := range c.procs.reap() {
		if w := c.workerOf(e.pid); w != nil {
			deaths = append(deaths, c.bury(w, e))
		} else if c.heir != nil && c.heir.pid == e.pid {
			c.heirEnded(e)
		}
	}
	for _, d := range deaths {
		switch {
		case c.stage == running && d.last:
			c.start(d.worker.seat)
		case c.stage != running || !d.vacates:
		case d.wait == 0:
			c.start(d.worker.seat)
		default:
			c.avoid(d.worker.seat, true)
		}
	}
	for _, d := range deaths {
		c.report(d)
	}
	c.trim()
	c.checkQuiet()
	c.replaceNext() // a slot is free, or a successor failed
}

// bury repairs what a worker left and empties its seat.
func (c *crew) bury(w *worker, e exit) death {
	now := time.Now()
	s := w.seat
	d := death{worker: w, exit: e, lived: now.Sub(w.startedAt)}
	repairs, damage := c.recover(w.id)
	d.repairs = repairs
	d.cause = w.causeOf(e.status)
	d.asked = w.phase == leaving || c.stage == killing
	d.left = e.status.Exited() && e.status.ExitStatus() == handoff.ExitOK
	if !d.asked && !d.left {
		c.board.Died(w.id)
	}
	if d.cause == cannotBoot {
		c.hearLastWords(w)
	}
	w.stop()
	d.reason = cmp.Or(w.condemned, w.reason)
	booted, sat, succeeds := w.phase != booting, w == s.worker, w == s.next
	w.phase = gone
	c.workers = slices.DeleteFunc(c.workers, func(other *worker) bool { return other == w })
	s.empty(w)
	if damage != nil {
		c.giveUp(damage) // after the seat is empty: its pid is nobody's now
	}
	if r := c.replacement; succeeds && !d.asked && r != nil && d.cause == external && r.kills < killsEnough {
		r.kills++ // it is tried again
	} else if succeeds && !d.asked {
		c.stopReload(cmp.Or(d.reason, e.String()))
	}
	retired := slices.Contains(c.retired, s)
	d.vacates = sat && s.worker == nil && !retired
	if retired && sat && s.worker == nil && s.lasts < lastTries && !(e.status.Exited() && e.status.ExitStatus() == handoff.ExitOK) {
		s.lasts++
		d.last = true
	}
	if d.asked || !d.vacates {
		return d
	}
	d.wait = s.died(d.cause, now)
	s.due = now.Add(d.wait)
	if booted || c.complete || s.served || c.stage != running {
		return d
	}
	if d.cause == cannotBoot {
		c.giveUp(fmt.Errorf("worker cannot boot: %s", cmp.Or(w.reason, "it gave no reason")))
	} else {
		c.bootFailed(s, errors.New(cmp.Or(w.condemned, e.String())))
	}
	return d
}

// recover repairs the region after the end of a process. Where the region
// contradicts itself the slot stays taken and its lock held, so that nobody
// builds upon it; whoever needs that lock would wait for ever. A server that
// can answer only some keys is ended, and the next start says why.
func (c *crew) recover(id shm.ID) (shm.Recovery, error) {
	done, err := c.board.Recover(id)
	if err != nil {
		c.log.Error("region could not be repaired", "slot", id.Slot, "generation", id.Generation, "reason", err)
		err = damaged(err)
	}
	return done, err
}

func damaged(err error) error {
	return fmt.Errorf("%w; look at it with check, set it aside with --fresh", err)
}

// hearLastWords waits for the reason that a process wrote before it ended. It
// is in the pipe already; the limit is for the unforeseen.
func (c *crew) hearLastWords(w *worker) {
	limit := time.NewTimer(lastWords)
	defer limit.Stop()
	for w.reason == "" && w.phase == booting {
		select {
		case n := <-c.news:
			c.hear(n)
			if n.worker == w {
				return
			}
		case <-limit.C:
			return
		}
	}
}

func (c *crew) report(d death) {
	attrs := d.worker.attrs("end", d.exit.String(), "lived", d.lived.Round(time.Millisecond), "last_beat", d.repairs.Silent.Round(time.Millisecond))
	if d.repairs.Locks > 0 {
		attrs = append(attrs, "locks", d.repairs.Locks, "unlinked", d.repairs.Unlinked, "freed_bytes", d.repairs.Freed)
	}
	if d.reason != "" {
		attrs = append(attrs, "reason", d.reason)
	}
	switch {
	case d.asked && d.left:
		c.log.Info("worker left", attrs...)
	case d.left:
		c.log.Info("worker left, and the master did not tell it to", append(attrs, "again_in", d.wait.Round(time.Millisecond))...)
	case d.asked:
		c.log.Warn("worker ended", attrs...)
	case c.stage != running:
		c.log.Warn("worker died while the server stops", attrs...)
	default:
		c.log.Warn("worker died", append(attrs, "again_in", d.wait.Round(time.Millisecond))...)
	}
}
