package worker

import (
	"fmt"
	"net"
	"time"

	"github.com/fondue-server/fondue/internal/httpapi"
	"github.com/fondue-server/fondue/internal/loop"
	"github.com/fondue-server/fondue/internal/metrics"
	"github.com/fondue-server/fondue/internal/plainhttp"
)

// lane is the fast lane: it answers plain requests to hot routes on the event loop,
// and hands everything else over to fasthttp, from the first byte of the request on. It
// belongs to the loop.
type lane struct {
	server  *server
	loop    *loop.Loop
	front   *httpapi.Lane
	scanner plainhttp.Scanner
	request plainhttp.Request

	start time.Time
	wall  time.Time // the time of day at the last tick
	// When the last step of a turn ended: the next one of it begins there.
	ended time.Duration
	turn  uint64
}

var protocolName = []byte("HTTP/1.1")

// Step answers the first request of the input.
func (l *lane) Step(c *loop.Conn, in, out []byte) (used int, reply []byte, next loop.Next) {
	if turn := l.loop.Turns(); turn != l.turn {
		l.turn, l.ended = turn, time.Since(l.start)
	}
	switch l.scanner.Scan(in, &l.request, &c.Hint) {
	case plainhttp.Part:
		return 0, out, loop.More
	case plainhttp.Doubt:
		return 0, out, loop.HandOver
	}
	reply, done, ok := l.front.Answer(out, &l.request, l.server.draining.Load(), l.wall)
	if !ok {
		return 0, out, loop.HandOver
	}
	now := time.Since(l.start)
	l.server.store.CountAnswer(int(done.Kind), metrics.OutcomeOf(done.Status), now-l.ended)
	l.ended = now
	if access := l.server.access; access != nil {
		access.request(&answered{
			remote: c.Peer().Addr(), method: l.request.Method(), target: l.request.Target, protocol: protocolName,
			status: done.Status, size: done.Size,
		})
	}
	if done.Close {
		return l.request.Size, reply, loop.Close
	}
	return l.request.Size, reply, loop.Again
}

// Take has fasthttp serve a connection from here on.
func (l *lane) Take(h loop.Handed) {
	door := l.server.listeners[h.Door]
	var remote net.Addr = &net.UnixAddr{Net: "unix"}
	if h.Peer.IsValid() {
		remote = net.TCPAddrFromAddrPort(h.Peer)
	}
	l.server.serveHanded(handed{
		fd: h.FD, local: door.Addr(), remote: remote, accepted: h.Accepted,
		first: h.Input, began: h.Began, late: h.Late,
	})
}

// newLane makes the loop of a server. It has no doors yet.
func (s *server) openLane() error {
	l := &lane{server: s, front: s.api.NewLane(), start: time.Now(), wall: time.Now()}
	var err error
	l.loop, err = loop.New(loop.Config{
		Limits: loop.Limits{Read: readTimeout, Write: writeTimeout, Idle: idleTimeout, Linger: lingerTime},
		Meters: s.store,
		Tick: func() {
			l.wall = time.Now()
			s.heart.loopBeat(l.wall)
		},
		Accepted: func(fd, door int) {
			s.listeners[door].accepted.Store(time.Now().UnixNano())
			if s.conns.admitting.Load() {
				admitFD(fd)
			}
		},
		Short: func(door int, err error) {
			if at := s.listeners[door]; at.warnings.allow() {
				s.log.Warn("cannot accept, trying again", "addr", at.addr, "err", err)
			}
		},
		Failed: func(door int, err error) { s.fail(s.listeners[door], err) },
	})
	if err != nil {
		return fmt.Errorf("fast lane: %w", err)
	}
	for _, at := range s.listeners {
		if err = l.loop.Listen(loop.Door{FD: at.fd, Shared: at.shared, Protocol: l}); err != nil {
			return fmt.Errorf("fast lane: listener %s: %w", at.addr, err)
		}
	}
	s.loop = l.loop
	return nil
}
