package master

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/shm"
)

// lastWords is the wait for the reason of a worker that has ended already.
const lastWords = 100 * time.Millisecond

// death is the end of a seat's process, kept until it is logged.
type death struct {
	seat    *seat
	id      shm.ID
	pid     int
	exit    exit
	cause   cause
	wait    time.Duration
	asked   bool // it was told to leave, or killed by the master
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
		if s := c.seatOf(e.pid); s != nil {
			deaths = append(deaths, c.bury(s, e))
		}
	}
	for _, d := range deaths {
		switch {
		case c.stage != running:
		case d.wait == 0:
			c.start(d.seat)
		default:
			c.avoid(d.seat, true)
		}
	}
	for _, d := range deaths {
		c.report(d)
	}
}

// bury repairs what a process left and empties its seat.
func (c *crew) bury(s *seat, e exit) death {
	now := time.Now()
	d := death{seat: s, id: s.id, pid: s.pid, exit: e, lived: now.Sub(s.startedAt)}
	repairs, damage := c.recover(s.id)
	d.repairs = repairs
	d.cause = s.causeOf(e.status)
	d.asked = s.phase == leaving || c.stage == killing
	if d.cause == cannotBoot {
		c.hearLastWords(s)
	}
	s.stop()
	d.reason = cmp.Or(s.condemned, s.reason)
	booted := s.phase != booting
	s.phase, s.pid = vacant, 0
	if damage != nil {
		c.giveUp(damage) // after the seat is empty: its pid is nobody's now
	}
	if d.asked {
		return d
	}
	d.wait = s.died(d.cause, now)
	s.due = now.Add(d.wait)
	if booted || c.complete || s.served {
		return d
	}
	if d.cause == cannotBoot {
		c.giveUp(fmt.Errorf("worker cannot boot: %s", cmp.Or(s.reason, "it gave no reason")))
	} else {
		c.bootFailed(s, errors.New(cmp.Or(s.condemned, e.String())))
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
func (c *crew) hearLastWords(s *seat) {
	limit := time.NewTimer(lastWords)
	defer limit.Stop()
	for s.reason == "" && s.phase == booting {
		select {
		case n := <-c.news:
			c.hear(n)
			if n.seat == s {
				return
			}
		case <-limit.C:
			return
		}
	}
}

func (c *crew) report(d death) {
	attrs := []any{"slot", d.id.Slot, "generation", d.id.Generation, "pid", d.pid, "end", d.exit.String(), "lived", d.lived.Round(time.Millisecond)}
	if d.repairs.Locks > 0 {
		attrs = append(attrs, "locks", d.repairs.Locks)
	}
	if d.reason != "" {
		attrs = append(attrs, "reason", d.reason)
	}
	switch {
	case d.asked && d.exit.status.Exited() && d.exit.status.ExitStatus() == handoff.ExitOK:
		c.log.Debug("worker left", attrs...)
	case d.asked:
		c.log.Warn("worker ended", attrs...)
	case c.stage != running:
		c.log.Warn("worker died while the server stops", attrs...)
	default:
		c.log.Warn("worker died", append(attrs, "again_in", d.wait.Round(time.Millisecond))...)
	}
}
