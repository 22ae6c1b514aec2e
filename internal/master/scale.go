package master

import (
	"slices"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
)

// retireGrace is between the moment from which new connections are steered away
// from a seat and that in which its worker is told to leave: the handshakes under
// way end in its queue, also after a first retransmission.
const retireGrace = time.Second

// lastTries is how many more workers a retired seat gets for what may wait in its
// queue, where one did not leave by itself.
const lastTries = 2

// scalable says whether seats may come and go now.
func (c *crew) scalable() bool {
	if c.stage == running && !c.complete {
		c.log.Warn("the number of workers stays: the server is still starting")
	}
	return c.stage == running && c.complete
}

// scale makes it so many seats, and says whether it could.
func (c *crew) scale(workers int) bool {
	vacant := map[*seat]shm.ID{}
	for len(c.seats) < workers {
		s, id := c.addSeat()
		if s == nil {
			break
		}
		if s.worker == nil {
			vacant[s] = id
		}
	}
	// A worker's share of the CPUs and of the memory goes by the number of seats.
	c.fillSeats(vacant)
	for len(c.seats) > max(1, workers) {
		c.less()
	}
	return len(c.seats) == workers
}

// more adds a worker, or takes the last one back that is being retired.
func (c *crew) more() {
	if !c.scalable() {
		return
	}
	switch s, id := c.addSeat(); {
	case s == nil:
	case s.worker == nil:
		c.fillSeat(s, id)
	case s.worker.startedAt.Before(c.reloadedAt):
		if c.replacement == nil {
			c.replacement = &replacement{began: time.Now(), recycles: true}
		}
		c.replacement.todo = append(c.replacement.todo, s.worker)
		c.replaceNext()
	}
}

// addSeat makes a vacant seat and claims a slot for it, or takes the last one
// back that is being retired, with its worker. It returns nil where it cannot.
func (c *crew) addSeat() (*seat, shm.ID) {
	if len(c.seats) >= c.most {
		c.log.Warn("no more workers are possible; a new region with a larger --max-workers has room for them", "workers", len(c.seats))
		return nil, shm.ID{}
	}
	last := slices.IndexFunc(c.retired, func(r *seat) bool { return r.number == len(c.seats) })
	if last >= 0 {
		if w := c.retired[last].worker; w != nil && (w.phase == serving || w.phase == booting) {
			return c.takeBack(last), shm.ID{}
		}
	}
	id, err := c.board.Claim(-1)
	if err != nil {
		c.log.Warn("no slot for another worker", "workers", len(c.seats), "reason", err)
		return nil, shm.ID{}
	}
	if err := c.resize(c.sockets(len(c.seats) + 1)); err != nil {
		c.log.Error("no sockets for another worker", "reason", err)
		c.recover(id)
		if err := c.resize(c.sockets(0)); err != nil {
			c.log.Error("sockets could not be closed", "reason", err)
		}
		c.resteer()
		return nil, shm.ID{}
	}
	s := &seat{number: len(c.seats)}
	if last >= 0 {
		s = c.retired[last] // who was there has been told to leave, and does
		c.retired = slices.Delete(c.retired, last, last+1)
		s.worker = nil
	}
	s.slot, s.avoided, s.lasts = id.Slot, true, 0
	c.seats = append(c.seats, s)
	c.log.Info("one worker more", "workers", len(c.seats))
	c.resteer()
	return s, id
}

// takeBack makes a retired seat one of the others again, whose worker has not
// been told to leave yet.
func (c *crew) takeBack(i int) *seat {
	s := c.retired[i]
	w := s.worker
	c.retired = slices.Delete(c.retired, i, i+1)
	c.seats = append(c.seats, s)
	c.log.Info("one worker more", "workers", len(c.seats))
	s.avoided, s.lasts = w.phase == booting || w.pulse.suspected, 0
	c.resteer()
	return s
}

// less retires the last seat: new connections go elsewhere, then its worker
// leaves, then its sockets are closed.
func (c *crew) less() {
	if !c.scalable() {
		return
	}
	if len(c.seats) == 1 {
		c.log.Warn("the last worker stays; TERM ends the server")
		return
	}
	s := c.seats[len(c.seats)-1]
	c.seats = c.seats[:len(c.seats)-1]
	c.retired = append(c.retired, s)
	s.avoided, s.due, s.lasts = true, time.Now().Add(retireGrace), 0
	c.resteer()
	if s.next != nil {
		c.withdraw(s.next)
	}
	c.log.Info("one worker less", "workers", len(c.seats))
	if s.worker == nil { // a last one, for what waits in its queue
		s.lasts++
		c.start(s)
	}
	c.trim()
	c.replaceNext()
}

// retire tells workers to leave whose seats get no connections any more.
func (c *crew) retire(now time.Time) {
	for _, s := range c.retired {
		// One that boots is told when it is ready, as in a stop.
		if w := s.worker; w != nil && w.phase == serving && !s.due.After(now) {
			c.dismiss(w)
		}
	}
}

// trim closes the sockets of seats that are retired and empty, the last first:
// the others keep their places in the kernel's order. What waits in one is adopted
// first. An heir has the same sockets and may serve them, so that they stay until
// it has come to its end.
func (c *crew) trim() {
	for len(c.retired) > 0 && c.heir == nil {
		last := slices.MaxFunc(c.retired, func(a, b *seat) int { return a.number - b.number })
		if last.worker != nil || slices.ContainsFunc(c.workers, func(w *worker) bool { return w.seat == last }) || c.queued(last) > 0 {
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
