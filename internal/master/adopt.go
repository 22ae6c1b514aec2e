package master

import (
	"slices"
	"time"
)

// A connection that waits in the queue of a seat that nobody serves, because
// its worker is silent or its next one is not there for a while, need not wait
// for it: another seat's worker is handed the socket and empties the queue. New
// connections are steered away meanwhile, so that this ends.

// adopt has the queues emptied of seats that are not served.
func (c *crew) adopt(now time.Time) {
	if c.stage != running || !c.inCharge() {
		return
	}
	for _, s := range slices.Concat(c.seats, c.retired) {
		if !s.stuck(now) {
			continue
		}
		waiting := c.queued(s)
		if waiting == 0 {
			continue
		}
		w := c.nextSibling(s)
		if w == nil {
			break
		}
		if err := c.procs.hand(w.pid, c.socketsOf(s)); err != nil {
			c.log.Warn("a queue cannot be handed to another worker", w.attrs("of_seat", s.number, "reason", err)...)
			continue
		}
		c.log.Info("worker takes over what waits for another", w.attrs("connections", waiting, "of_seat", s.number)...)
	}
	c.trim() // a retired seat's queue may be empty by now
}

// stuck says whether nobody accepts what is in the seat's queue, nor soon will.
func (s *seat) stuck(now time.Time) bool {
	serves := func(w *worker) bool {
		switch {
		case w == nil:
			return false
		case w.phase == booting:
			return now.Sub(w.startedAt) < suspectAfter
		}
		return w.phase == serving && !w.pulse.suspected
	}
	return !serves(s.worker) && !serves(s.next)
}

// nextSibling is a worker of another seat that serves, each in its turn.
func (c *crew) nextSibling(s *seat) *worker {
	for i := range c.seats {
		other := c.seats[(c.adopter+i)%len(c.seats)]
		if w := other.worker; other != s && w != nil && w.phase == serving && !w.pulse.suspected {
			c.adopter += i + 1
			return w
		}
	}
	return nil
}
