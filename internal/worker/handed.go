package worker

import (
	"net"
	"time"

	"github.com/fondue-server/fondue/internal/socket"
)

// handed is a connection that an event loop of this worker has accepted and hands
// over. The loop has told the store that it is open, and of all bytes so far.
type handed struct {
	fd            int // in no poller any more
	local, remote net.Addr
	accepted      time.Time
	// first is what has been read of requests that nobody has answered. It is read
	// again before anything else, and belongs to the connection from here on.
	first []byte
	// began is when the request in first began to arrive: readTimeout counts from
	// there. Zero: from now.
	began time.Time
	late  bool // the rest of the request is not waited for

	lane *lane // that it came from and may go back to, or nil
	door int   // of the lane
	tag  uint32
}

// take takes a connection that was handed over into the set. On an error it is
// closed.
func (s *conns) take(h handed) (*conn, error) {
	sock, err := socket.Own(h.fd, h.local, h.remote)
	if err != nil {
		s.store.ConnClosed()
		s.descriptorFreed()
		return nil, err
	}
	c := &conn{Conn: sock, owner: s, accepted: h.accepted, first: h.first}
	c.home = home{lane: h.lane, door: h.door, tag: h.tag}
	if h.began.IsZero() {
		h.began = time.Now()
	}
	by := h.began.Add(readTimeout)
	if h.late {
		by = longAgo
		_ = sock.SetReadDeadline(longAgo) // after first the wait ends at once
	}
	c.firstBy = by.UnixNano()
	c.readBy.Store(c.firstBy)
	if len(h.first) > 0 {
		c.phase.Store(busy) // before a drain finds it, and takes it for one to leave
	}
	s.enter(c)
	return c, nil
}

// serveHanded has fasthttp serve a connection that was handed over. When it returns,
// the connection is in the set.
func (s *server) serveHanded(h handed) {
	c, err := s.conns.take(h)
	if err != nil {
		s.log.Warn("a connection is lost", "err", err)
		return
	}
	go func() { // ends with the connection, or when the lane has it back
		for {
			_ = s.http.ServeConn(c) // what ends it is the client's business
			if !c.back.Load() || c.home.lane.takeBack(c) {
				return
			}
			c.home.lane = nil // it stays
			c.back.Store(false)
		}
	}()
}

// home is where a connection came from that was handed over.
type home struct {
	lane   *lane // nil: it does not go back
	door   int
	tag    uint32
	streak int // requests in a row that were the lane's
}

// asked notes whether the request that was answered was one for the lane.
func (h *home) asked(forLane bool) {
	h.streak++
	if !forLane {
		h.streak = 0
	}
}

// calls reports whether the connection is to go back.
func (h *home) calls() bool {
	return h.lane != nil && h.streak >= patience(h.tag) && !h.lane.server.draining.Load()
}
