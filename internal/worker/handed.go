package worker

import (
	"net"
	"time"

	"github.com/fondue-server/fondue/internal/socket"
)

// handed is a connection that was accepted elsewhere: by the event loop, or out of another
// worker's queue. Whoever did has told the store that it is open, and of all bytes so far.
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
	go func() { _ = s.http.ServeConn(c) }() // what ends it is the client's business
}
