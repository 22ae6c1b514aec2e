package worker

import (
	"time"

	"github.com/fondue-server/fondue/internal/loop"
	"github.com/fondue-server/fondue/internal/shm"
)

// pace bounds a drain.
type pace struct {
	window  time.Duration // idle clients, and new ones from their connect, may send one more request
	timeout time.Duration // of the whole, from its start
}

const (
	// drainWindow is long enough for a client that is busy on a keep-alive
	// connection to send its next request, which is told Connection: close.
	drainWindow = 500 * time.Millisecond

	// settle is how long nothing must be open or queued before the window is
	// closed early: the time of a connection between queue and set.
	settle = 10 * time.Millisecond

	// haste is how long a request that has begun may take to arrive where all
	// other clients wait for this worker to leave.
	haste = 2 * time.Second

	drainTick = 2 * time.Millisecond
)

// quick is the pace without a master: all within half a second.
var quick = pace{window: 100 * time.Millisecond, timeout: 400 * time.Millisecond}

// drain ends the server without failing a request. New connections must be
// kept away already, or go to siblings:
//
//  1. readiness ends, every reply says Connection: close, and connections that
//     were made while the door was being closed are heard;
//  2. for the window, what is queued is accepted and idle clients are awaited;
//  3. the listeners are closed, once their queues are empty;
//  4. connections between requests are closed, those with a request awaited.
//
// When the master is gone, the rest goes at the quick pace; when it says that
// the queues are others', they are left at once, and soon whoever has not sent all
// of a request. The result is the number of connections that were cut off at the
// time-out.
func (s *server) drain(p pace, line *lifeline) (cut int) {
	hurry := line.gone
	s.do((*loop.Loop).Leave) // before the first reply says Connection: close
	s.commands.Drain()
	s.store.SetState(shm.StateDraining)
	s.moving.Lock() // whom this worker has taken over is in the set then
	s.draining.Store(true)
	s.moving.Unlock()
	s.conns.admit()
	s.do(func(l *loop.Loop) { l.Each(admitFD) })

	begin, clients := time.Now(), newRespite(p)
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	quietSince := time.Time{}
	accepting := true
	for {
		elapsed := time.Since(begin)
		clients.pass(elapsed)
		if elapsed >= p.timeout {
			break
		}
		if accepting {
			if s.open() > 0 || !s.queuesEmpty(true) {
				quietSince = time.Time{}
			} else if quietSince.IsZero() {
				quietSince = time.Now()
			}
			settled := !quietSince.IsZero() && time.Since(quietSince) >= settle
			if settled || line.leave.Load() || clients.over() && s.queuesEmpty(false) {
				s.closeListeners()
				accepting = false
			}
		}
		if clients.over() {
			s.leaveQuiet(clients.grace())
		}
		if line.leave.Load() && elapsed >= haste {
			s.conns.each((*conn).hurry)
			s.do((*loop.Loop).Hurry)
		}
		if !accepting && s.open() == 0 {
			break
		}
		select {
		case <-tick.C:
		case <-hurry:
			hurry = nil
			clients.hurry()
			p.timeout = min(p.timeout, time.Since(begin)+quick.timeout)
		}
	}
	if accepting {
		s.closeListeners()
	}
	close(s.stop)
	if s.lane != nil {
		s.do(func(l *loop.Loop) { cut = l.CloseAll() })
		s.lane.loop.Stop()
		s.heart.loopEnded()
	}
	return cut + s.conns.closeAll()
}

// do has the loop do something, if there is one.
func (s *server) do(f func(*loop.Loop)) {
	if s.lane != nil {
		s.lane.loop.Do(func() { f(s.lane.loop) })
	}
}

// open is how many connections there are. One that is handed over is in the set before
// the loop has it no longer, so the loop is asked first.
func (s *server) open() int {
	n := 0
	if s.lane != nil {
		n = s.lane.loop.Open()
	}
	return n + s.conns.count()
}

// queuesEmpty reports whether nobody waits to be accepted. Queues that siblings
// share may be left to them.
func (s *server) queuesEmpty(andShared bool) bool {
	for _, d := range s.doors {
		if (andShared || !d.shared) && !d.queueEmpty() {
			return false
		}
	}
	return true
}

// closeListeners returns when the last accepted connection is in the set.
func (s *server) closeListeners() {
	s.do((*loop.Loop).EndDoors)
	for _, d := range s.doors {
		if err := d.end(); err != nil {
			s.log.Debug("close listener", "addr", d.addr, "err", err)
		}
	}
	s.serving.Wait()
}

// leaveQuiet closes connections between requests that were accepted grace ago.
func (s *server) leaveQuiet(grace time.Duration) {
	now := time.Now()
	s.conns.each(func(c *conn) {
		if now.Sub(c.accepted) >= grace {
			c.leave()
		}
	})
	s.do(func(l *loop.Loop) { l.LeaveQuiet(grace) })
}
