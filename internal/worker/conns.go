package worker

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fondue-server/fondue/internal/listen"
	"github.com/fondue-server/fondue/internal/loop"
	"github.com/fondue-server/fondue/internal/shm"
	"github.com/fondue-server/fondue/internal/socket"
)

// conns is the set of open connections of this worker.
type conns struct {
	store *shm.Store

	mu    sync.Mutex
	first *conn
	open  int

	admitting atomic.Bool // the door may be closed

	loop     *loop.Loop    // of the fast lane, or nil
	starving atomic.Int32  // accept loops that wait for a descriptor
	freed    chan struct{} // one descriptor was freed meanwhile
}

func newConns(store *shm.Store) *conns {
	return &conns{store: store, freed: make(chan struct{}, 1)}
}

// add takes an accepted connection into the set. One that it refuses is closed.
func (s *conns) add(nc net.Conn) (*conn, error) {
	sock, err := socket.New(nc)
	if err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	c := &conn{Conn: sock, owner: s, accepted: time.Now()}
	s.store.ConnOpened() // before anybody finds it, and closes it
	s.enter(c)
	return c, nil
}

func (s *conns) enter(c *conn) {
	s.mu.Lock()
	if c.next = s.first; c.next != nil {
		c.next.prev = c
	}
	s.first = c
	s.open++
	s.mu.Unlock()
	if s.admitting.Load() {
		admit(c)
	}
}

// admit lets connections be heard that came through a closing door: those that
// are open, and from now on each that is accepted.
func (s *conns) admit() {
	s.admitting.Store(true)
	s.each(admit)
}

func admit(c *conn) {
	// A connection that has ended needs no hearing.
	_ = c.Conn.Control(func(fd uintptr) { admitFD(int(fd)) })
}

func admitFD(fd int) { _ = listen.Admit(fd) }

func (s *conns) remove(c *conn) {
	s.mu.Lock()
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		s.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
	s.open--
	s.mu.Unlock()
}

func (s *conns) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// each calls f for every open connection. f must not close one.
func (s *conns) each(f func(*conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := s.first; c != nil; c = c.next {
		f(c)
	}
}

// sweepInterval is how late a deadline may be kept.
const sweepInterval = 500 * time.Millisecond

// sweep keeps the deadlines of all connections until stop is closed.
func (s *conns) sweep(stop <-chan struct{}) {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case t := <-tick.C:
			now := t.UnixNano()
			s.each(func(c *conn) { c.expire(now) })
		}
	}
}

// closeAll closes every connection at once and returns how many of them had not had
// their last reply.
func (s *conns) closeAll() (cut int) {
	var all []*conn
	s.each(func(c *conn) { all = append(all, c) })
	for _, c := range all {
		if c.closed.Load() { // it lingers
			_ = c.Conn.SetReadDeadline(longAgo)
			continue
		}
		cut++
		c.linger.Store(false)
		_ = c.Close()
	}
	return cut
}

// isStarving reports whether somebody who accepts waits for a descriptor.
func (s *conns) isStarving() bool {
	return s.starving.Load() > 0 || s.loop != nil && s.loop.Starving()
}

// descriptorFreed wakes an accept loop that ran out of descriptors.
func (s *conns) descriptorFreed() {
	if s.loop != nil {
		s.loop.Freed()
	}
	if s.starving.Load() == 0 {
		return
	}
	select {
	case s.freed <- struct{}{}:
	default:
	}
}
