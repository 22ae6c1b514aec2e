package master

import (
	"fmt"
	"slices"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
)

// A worker writes the time into its slot ten times a second. One that no longer
// does has no thread that runs: it hangs, or somebody stopped it. New
// connections are steered away from it soon; after the limit it is told to say
// where it hangs, and is killed. Nobody takes a lock from it before it is dead.

const (
	// watchEvery is how often the beats are looked at.
	watchEvery = 250 * time.Millisecond
	// suspectAfter is when new connections go elsewhere: ten beats.
	suspectAfter = time.Second
	// stacksGrace is the time to write the stacks of all goroutines to the log.
	stacksGrace = time.Second
)

// pulse is what the master knows of a worker's beat.
type pulse struct {
	beat      uint64
	since     time.Time // when the master saw it change
	suspected bool
}

// watch looks at the beat of every worker that serves or leaves. Silence is
// counted by the master's own looks: where it did not run itself, as after the
// host was suspended, it begins anew.
func (c *crew) watch(now time.Time) {
	slept := now.Sub(c.watched) > 4*watchEvery
	c.watched = now
	for _, w := range slices.Clone(c.workers) {
		if w.phase != serving && w.phase != leaving {
			continue
		}
		if w.phase == serving && c.board.StateOf(w.id.Slot) == shm.StateDraining {
			c.letLeave(w, now)
		}
		if beat := c.board.BeatOf(w.id.Slot); beat != w.pulse.beat || slept {
			w.pulse.beat, w.pulse.since = beat, now
			c.suspect(w, false)
			continue
		}
		switch silent := now.Sub(w.pulse.since); {
		case c.hangLimit > 0 && silent >= c.hangLimit:
			c.endHanging(w, now)
		case silent >= suspectAfter:
			c.suspect(w, true)
		}
	}
}

// suspect steers new connections away from the seat of a worker that is silent,
// and back to it.
func (c *crew) suspect(w *worker, silent bool) {
	if w.pulse.suspected == silent || w.seat.worker != w || w.phase != serving {
		return
	}
	w.pulse.suspected = silent
	c.avoid(w.seat, silent)
	if silent {
		c.log.Warn("worker is silent: new connections go elsewhere", w.attrs()...)
	} else {
		c.log.Info("worker is heard again", w.attrs()...)
	}
}

// endHanging asks a worker for the stacks of its goroutines. One that is stopped
// will not answer; SIGKILL ends it, too.
func (c *crew) endHanging(w *worker, now time.Time) {
	w.condemned = fmt.Sprintf("no heartbeat for %v", c.hangLimit)
	w.phase, w.due = hanging, now.Add(stacksGrace)
	c.log.Error("worker hangs and is ended", w.attrs("silent", now.Sub(w.pulse.since).Round(time.Millisecond))...)
	if w.seat.worker == w {
		c.avoid(w.seat, true)
	}
	c.kill(w, unix.SIGQUIT)
}

// letLeave gives the seat of a worker that drains, because somebody else told it
// to or its socket failed, to the next one: it does not accept any more.
func (c *crew) letLeave(w *worker, now time.Time) {
	s := w.seat
	c.log.Info("worker leaves, and the master did not tell it to", w.attrs()...)
	w.phase, w.due = leaving, now.Add(c.limit+stopGrace)
	if s.worker != w || c.stage != running {
		return
	}
	s.empty(w)
	if s.worker != nil || slices.Contains(c.retired, s) {
		return
	}
	if wait := s.died(external, now); wait > 0 {
		s.due = now.Add(wait)
		return
	}
	c.start(s)
}
