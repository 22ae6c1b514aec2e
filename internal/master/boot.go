package master

import (
	"errors"
	"fmt"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
)

const (
	// bootLimit is the time a worker has to say that it is ready.
	bootLimit = 10 * time.Second
	// bootTries is how many ends before its first ready message a seat has
	// until the start as a whole is given up.
	bootTries = 5
	// giveUpLimit is the shutdown timeout of a start that failed.
	giveUpLimit = 2 * time.Second
)

// start gives a vacant seat its next process.
func (c *crew) start(s *seat) {
	if err := c.claim(s); err != nil {
		c.postpone(s, err)
		return
	}
	c.launch(s)
}

func (c *crew) claim(s *seat) error {
	id, err := c.board.Claim(s.slot)
	if err != nil {
		return err
	}
	s.id, s.slot = id, id.Slot
	return nil
}

// launch starts a process in a seat whose slot is claimed.
func (c *crew) launch(s *seat) {
	w, descriptors := c.outfit(s)
	pid, ready, err := c.procs.spawn(w, descriptors)
	if err != nil {
		c.recover(s.id)
		c.postpone(s, err)
		return
	}
	c.board.Spawned(s.id, pid)
	now := time.Now()
	s.phase, s.pid, s.due, s.startedAt = booting, pid, now.Add(bootLimit), now
	s.condemned, s.reason = "", ""
	s.stop = func() { ready.Close() }
	// The watcher ends with the message, with the process, or with the master.
	id := s.id
	go func() {
		message, err := handoff.ReadReady(ready)
		select {
		case c.news <- news{s, id, message, err}:
		case <-c.done:
		}
	}()
}

// postpone tries again later what this master itself could not do.
func (c *crew) postpone(s *seat, err error) {
	now := time.Now()
	s.phase, s.pid = vacant, 0
	wait := max(s.died(fault, now), faults.first)
	s.due = now.Add(wait)
	c.log.Error("worker cannot be started", "slot", s.slot, "reason", err, "again_in", wait)
	c.bootFailed(s, err)
	c.avoid(s, true)
}

// bootFailed counts an end before the first ready message of a seat, while the
// server as a whole is still starting.
func (c *crew) bootFailed(s *seat, err error) {
	if s.bootFailures++; !c.complete && !s.served && s.bootFailures >= bootTries {
		c.giveUp(fmt.Errorf("worker in slot %d failed %d times before it was ready, last: %w", s.slot, s.bootFailures, err))
	}
}

// giveUp ends a start that cannot succeed.
func (c *crew) giveUp(err error) {
	if c.failure == nil {
		c.failure = err
	}
	if c.stage == running {
		c.drain(min(c.limit, giveUpLimit))
	}
}

// hear takes the message of a ready pipe.
func (c *crew) hear(n news) {
	s := n.seat
	if s.phase == vacant || s.id != n.id {
		return // its end was noticed first
	}
	s.stop()
	switch {
	case n.err != nil && !errors.Is(n.err, handoff.ErrNoMessage):
		s.reason = n.err.Error()
	case n.message.Error != "":
		s.reason = n.message.Error
	case n.message.Ready && s.phase == booting && s.condemned == "":
		s.phase, s.served = serving, true
		c.avoid(s, false)
		c.log.Debug("worker is ready", "slot", s.slot, "generation", s.id.Generation, "pid", s.pid, "after", time.Since(s.startedAt))
		if c.stage == draining {
			c.dismiss(s)
		}
		c.checkComplete()
	}
}

// checkComplete announces the end of the start.
func (c *crew) checkComplete() {
	if c.complete || c.stage != running {
		return
	}
	for _, s := range c.seats {
		if !s.served {
			return
		}
	}
	c.complete = true
	c.ready()
}
