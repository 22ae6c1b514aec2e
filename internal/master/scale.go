package master

import (
	"slices"
	"time"
)

// retireGrace is between the moment from which new connections are steered away
// from a seat and that in which its worker is told to leave: the handshakes under
// way end in its queue, also after a first retransmission.
const retireGrace = time.Second

// more adds a seat, or takes the last one back that is being retired.
func (c *crew) more() {
	if c.stage != running {
		return
	}
	if len(c.seats) >= c.most {
		c.log.Warn("no more workers are possible; a new region with a larger --max-workers has room for them", "workers", len(c.seats))
		return
	}
	s := &seat{number: len(c.seats), slot: -1, avoided: true}
	if i := slices.IndexFunc(c.retired, func(r *seat) bool { return r.number == s.number }); i >= 0 {
		s = c.retired[i]
		c.retired = slices.Delete(c.retired, i, i+1)
	}
	if err := c.resize(c.sockets(s.number + 1)); err != nil {
		c.log.Error("no sockets for another worker", "reason", err)
		c.trim()
		return
	}
	c.seats = append(c.seats, s)
	c.log.Info("one worker more", "workers", len(c.seats))
	if s.worker != nil && s.worker.phase == serving {
		c.avoid(s, false) // it had not been told yet
		return
	}
	s.worker = nil // who is there has been told to leave, and does
	c.resteer()
	c.start(s)
}

// less retires the last seat: new connections go elsewhere, then its worker
// leaves, then its sockets are closed.
func (c *crew) less() {
	if c.stage != running {
		return
	}
	if len(c.seats) == 1 {
		c.log.Warn("the last worker stays; TERM ends the server")
		return
	}
	s := c.seats[len(c.seats)-1]
	c.seats = c.seats[:len(c.seats)-1]
	c.retired = append(c.retired, s)
	s.avoided, s.due = true, time.Now().Add(retireGrace)
	c.resteer()
	if s.next != nil {
		c.withdraw(s.next)
	}
	if r := c.replacement; r != nil {
		r.seats = slices.DeleteFunc(r.seats, func(other *seat) bool { return other == s })
	}
	c.log.Info("one worker less", "workers", len(c.seats))
	c.trim()
	c.checkComplete()
	c.replaceNext()
}

// retire tells workers to leave whose seats get no connections any more.
func (c *crew) retire(now time.Time) {
	for _, s := range c.retired {
		w := s.worker
		switch {
		case w == nil || s.due.After(now):
		case w.phase == serving:
			c.dismiss(w)
		case w.phase == booting:
			// It is told when it is ready, as in a stop.
		}
	}
}

// trim closes the sockets of seats that are retired and empty, the last first:
// the others keep their places in the kernel's order.
func (c *crew) trim() {
	for len(c.retired) > 0 {
		last := slices.MaxFunc(c.retired, func(a, b *seat) int { return a.number - b.number })
		if last.worker != nil || slices.ContainsFunc(c.workers, func(w *worker) bool { return w.seat == last }) {
			return
		}
		c.retired = slices.DeleteFunc(c.retired, func(s *seat) bool { return s == last })
		if err := c.resize(c.sockets(0)); err != nil {
			c.log.Error("sockets of a retired worker could not be closed", "reason", err)
		}
		c.resteer()
	}
}

// sockets is how many each address needs, at least some.
func (c *crew) sockets(least int) int {
	n := max(least, len(c.seats))
	for _, s := range c.retired {
		n = max(n, s.number+1)
	}
	return n
}
