package master

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
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

// slotPause is the wait of a seat for a slot that a worker of another master is
// about to leave.
const slotPause = 100 * time.Millisecond

// slotPatience is how long it waits until the log says so, and again.
const slotPatience = time.Minute

// begin claims a slot for each seat, has the region filled, and starts the
// workers.
func (c *crew) begin() error {
	claimed := map[*seat]shm.ID{}
	unclaim := func() {
		for _, s := range c.seats {
			if id, is := claimed[s]; is {
				c.recover(id)
			}
		}
	}
	for i, s := range c.seats {
		id, err := c.claim(s)
		switch {
		case errors.Is(err, shm.ErrNoSlot) && c.inherits && i > 0:
			s.waits, s.waitsSince, s.avoided, s.due = true, time.Now(), true, time.Now().Add(slotPause)
			continue
		case err != nil:
			unclaim()
			return fmt.Errorf("worker %d of %d: %w; start fewer with --workers", i+1, len(c.seats), err)
		}
		claimed[s] = id
	}
	if err := c.fill(); err != nil {
		unclaim()
		return err
	}
	c.fillSeats(claimed)
	return nil
}

// fillSeats starts workers in the seats that a slot is claimed for.
func (c *crew) fillSeats(claimed map[*seat]shm.ID) {
	for _, s := range c.seats {
		if id, is := claimed[s]; is {
			c.fillSeat(s, id)
		}
	}
}

// start gives a vacant seat its next process. One that was reaped along with
// another end may not be vacant any more.
func (c *crew) start(s *seat) {
	if c.quiet || s.worker != nil {
		return
	}
	id, err := c.claim(s)
	if err != nil {
		c.postpone(s, err)
		return
	}
	c.fillSeat(s, id)
}

func (c *crew) claim(s *seat) (shm.ID, error) {
	id, err := c.board.Claim(s.slot)
	if err == nil {
		s.slot = id.Slot
	}
	return id, err
}

// fillSeat starts a worker in a vacant seat, in a slot that is claimed.
func (c *crew) fillSeat(s *seat, id shm.ID) {
	w, err := c.launch(s, id)
	if err != nil {
		c.postpone(s, err)
		return
	}
	s.worker = w
}

// launch starts a worker for a seat, in a slot that is claimed. The slot is
// given back when that fails.
func (c *crew) launch(s *seat, id shm.ID) (*worker, error) {
	outfit, descriptors := c.outfit(s, id)
	pid, ready, err := c.procs.spawn(outfit, descriptors)
	if err != nil {
		c.recover(id)
		return nil, err
	}
	c.board.Spawned(id, pid)
	now := time.Now()
	w := &worker{seat: s, id: id, pid: pid, due: now.Add(bootLimit), startedAt: now, stop: func() { ready.Close() }}
	w.requests, w.mostRequests = c.board.RequestsOf(id.Slot), c.limits.draw()
	c.workers = append(c.workers, w)
	// The watcher ends with the message, with the process, or with the master.
	go func() {
		message, err := handoff.ReadReady(ready)
		select {
		case c.news <- news{w, message, err}:
		case <-c.done:
		}
	}()
	return w, nil
}

// postpone tries again later what this master itself could not do.
func (c *crew) postpone(s *seat, err error) {
	now := time.Now()
	if s.waits && errors.Is(err, shm.ErrNoSlot) {
		s.due = now.Add(slotPause)
		if now.Sub(s.waitsSince) >= slotPatience {
			s.waitsSince = now
			c.log.Warn("a worker waits for a free slot in the region: others have them all", "seat", s.number, "workers", len(c.seats))
		}
		return
	}
	wait := max(s.died(fault, now), faults.first)
	s.due = now.Add(wait)
	c.log.Error("worker cannot be started", "slot", s.slot, "reason", err, "again_in", wait)
	c.bootFailed(s, err)
	c.avoid(s, true)
}

// bootFailed counts an end before the first ready message of a seat, while the
// server as a whole is still starting.
func (c *crew) bootFailed(s *seat, err error) {
	if s.bootFailures++; c.stage == running && !c.complete && !s.served && s.bootFailures >= bootTries {
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
	w := n.worker
	if w.phase == gone {
		return // its end was noticed first
	}
	w.stop()
	switch {
	case n.err != nil && !errors.Is(n.err, handoff.ErrNoMessage):
		w.reason = n.err.Error()
	case n.message.Error != "":
		w.reason = n.message.Error
	case n.message.Ready && w.phase == booting && w.condemned == "":
		c.serves(w)
	}
}

// serves takes note of a worker that is ready.
func (c *crew) serves(w *worker) {
	s := w.seat
	w.phase, s.served, s.waits = serving, true, false
	c.log.Info("worker is ready", w.attrs("after", time.Since(w.startedAt).Round(time.Millisecond))...)
	if w == s.next {
		c.succeed(s)
	}
	c.avoid(s, false)
	if w.startedAt.Before(c.reopened) {
		c.kill(w, unix.SIGUSR1)
	}
	if c.quiet {
		c.makeWay(w)
	} else if c.stage == draining {
		c.dismiss(w)
	} else if slices.Contains(c.retired, s) {
		c.retire(time.Now())
	}
	c.checkComplete()
	c.replaceNext()
}

// release lets workers serve that were started to wait.
func (c *crew) release() {
	if !c.withheld {
		return
	}
	c.withheld = false
	for _, w := range c.workers {
		if err := c.procs.tell(w.pid, handoff.LifelineServe); err != nil {
			c.log.Error("worker cannot be told to serve", w.attrs("reason", err)...)
			c.kill(w, unix.SIGKILL)
		}
	}
}

// checkComplete announces the end of the start.
func (c *crew) checkComplete() {
	if c.stage != running {
		return
	}
	if c.complete {
		c.checkAsked()
		return
	}
	for _, s := range c.seats {
		if !s.served && !s.waits {
			return
		}
	}
	if err := c.ready(); err != nil {
		c.giveUp(err)
		return
	}
	c.complete = true
	c.release()
	c.service.ready(len(c.seats))
	if c.inherits {
		c.resteer() // until now another master did
		c.checkAsked()
	}
}

// checkAsked makes the seats of an heir as many as are asked for, once each has
// had a worker that can empty its queue. An heir of its own has its sockets: they
// are not to change then.
func (c *crew) checkAsked() {
	if c.inherits && c.heir == nil && !slices.ContainsFunc(c.seats, func(s *seat) bool { return s.waits }) {
		c.inherits = false
		if !c.scale(c.asked) {
			c.asked = len(c.seats) // a reload tries again
		}
	}
}
