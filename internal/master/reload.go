package master

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
)

// replacement is under way: the workers that are still to be replaced, one at a
// time. Each successor is ready before the worker whose seat it takes is told to
// leave.
type replacement struct {
	todo     []*worker
	began    time.Time
	done     int
	kills    int  // of successors, by others
	recycles bool // it is no reload of all
}

// killsEnough of successors, and the replacement is given up: whoever kills them
// (the kernel, for want of memory) will go on.
const killsEnough = 5

// reload takes the settings over as they are now, and begins to replace every
// worker that has others. A reload that is under way begins anew: its workers were
// started before what the signal is about.
func (c *crew) reload() {
	if c.stage != running {
		return
	}
	if !c.complete {
		c.log.Warn("reload is left out: the server is still starting")
		return
	}
	settings, err := c.reconfigure()
	if err != nil {
		c.log.Error("reload is refused, everything stays as it is", "reason", err)
		return
	}
	c.service.reloading()
	old := slices.Clone(c.workers)
	c.replacement = nil // the seats come and go before any worker is replaced
	c.follow(settings)
	c.log.Info("reloading: workers are replaced, one after the other", "workers", len(c.seats))
	r := &replacement{began: time.Now()}
	for _, s := range c.seats {
		if w := cmp.Or(s.next, s.worker); w != nil && slices.Contains(old, w) {
			r.todo = append(r.todo, w)
		}
	}
	c.replacement, c.reloadedAt = r, r.began
	c.replaceNext()
}

// follow takes settings over. Where somebody has made more workers or fewer since
// they were read last, their number counts only if it has changed.
func (c *crew) follow(s Settings) {
	c.limit, c.hangLimit = s.ShutdownTimeout, s.HangTimeout
	if limits := s.limits(); limits != c.limits {
		c.limits = limits
		for _, w := range c.workers {
			w.mostRequests = limits.draw()
		}
	}
	// The seats of an heir come to be so many by themselves.
	if c.inherits || s.Workers != c.asked && c.scale(s.Workers) {
		c.asked = s.Workers
	}
}

// replaceNext goes on with the replacement: it is called whenever a worker has
// come or gone.
func (c *crew) replaceNext() {
	r := c.replacement
	if r == nil || c.stage != running || c.anySuccessor() {
		return
	}
	for len(r.todo) > 0 {
		w := r.todo[0]
		switch now := w.seat.worker; {
		case slices.Contains(c.retired, w.seat) || now == nil:
			// It leaves anyway, or the next one there will be new.
		case now == w && w.phase == serving:
			c.replace(w.seat)
			return
		case now == w || now.phase == booting:
			return
		default:
			r.done++
		}
		r.todo = r.todo[1:]
	}
	c.replacement = nil
	if !r.recycles {
		c.service.ready(len(c.seats))
		c.log.Info("reloaded", "workers", r.done, "after", time.Since(r.began).Round(time.Millisecond))
	}
}

// replace starts a successor for the worker in the seat. Where there is no slot
// for both, one is awaited that somebody leaves; or the worker leaves first.
func (c *crew) replace(s *seat) {
	switch err := c.startSuccessor(s); {
	case err == nil:
	case !errors.Is(err, shm.ErrNoSlot):
		c.stopReload(err.Error())
	case !c.anyLeaving():
		c.log.Warn("no free slot for a successor: the worker leaves first", s.worker.attrs()...)
		c.avoid(s, true)
		c.dismiss(s.worker)
	}
}

// startSuccessor starts a worker beside the one in the seat, in a slot of its own.
func (c *crew) startSuccessor(s *seat) error {
	id, err := c.board.Claim(-1)
	if err != nil {
		return err
	}
	s.next, err = c.launch(s, id)
	return err
}

// succeed puts a successor that is ready in its seat. The worker that was there
// finishes what it has.
func (c *crew) succeed(s *seat) {
	old := s.worker
	s.worker, s.next = s.next, nil
	s.slot = s.worker.id.Slot
	c.dismiss(old)
}

// stopReload leaves the workers that are still to be replaced as they are: who
// comes next would fail alike.
func (c *crew) stopReload(reason string) {
	if c.replacement == nil || c.stage != running {
		return
	}
	if c.replacement.recycles {
		c.log.Error("a worker over its limit stays for now: its successor failed", "reason", reason, "again_in", recycleRest)
	} else {
		c.service.ready(len(c.seats)) // as it was
		c.log.Error("reload is given up: a new worker failed, and the others stay as they are", "replaced", c.replacement.done, "reason", reason)
	}
	c.replacement, c.recycleAt = nil, time.Now().Add(recycleRest)
}

func (c *crew) anySuccessor() bool {
	for _, s := range c.seats {
		if s.next != nil {
			return true
		}
	}
	return false
}

func (c *crew) anyLeaving() bool {
	for _, w := range c.workers {
		if w.phase == leaving {
			return true
		}
	}
	return false
}
