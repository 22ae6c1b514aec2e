package worker

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/httpapi"
	"github.com/fondue-server/fondue/internal/loop"
	"github.com/fondue-server/fondue/internal/metrics"
	"github.com/fondue-server/fondue/internal/plainhttp"
	"github.com/fondue-server/fondue/internal/socket"
)

// lane is the fast lane: it answers plain requests to hot routes on the event loop,
// and hands everything else over to fasthttp, from the first byte of the request on. It
// belongs to the loop.
type lane struct {
	server    *server
	loop      *loop.Loop
	listeners []*bareListener // by the number of their door
	warnings  throttle

	front   *httpapi.Lane
	scanner plainhttp.Scanner
	request plainhttp.Request

	start time.Time
	wall  time.Time // the time of day at the last tick
	// When the last step ended, in which turn of the loop: the next one of the same turn
	// begins there.
	ended time.Duration
	turn  uint64
}

var protocolName = []byte("HTTP/1.1")

// Step answers the first request of the input.
func (l *lane) Step(c *loop.Conn, in, out []byte) (used int, reply []byte, next loop.Next) {
	if turn := l.loop.Turns(); turn != l.turn {
		l.turn, l.ended = turn, time.Since(l.start)
	}
	hint := plainhttp.Hint(c.Tag)
	switch l.scanner.Scan(in, &l.request, &hint) {
	case plainhttp.Part:
		return 0, out, loop.More
	case plainhttp.Doubt:
		return 0, out, loop.HandOver
	}
	reply, done, ok := l.front.Answer(out, &l.request, l.server.draining.Load(), l.wall)
	if done.Busy && c.Tag&triesMask < triesMask {
		c.Tag += try
		return 0, out, loop.Later
	}
	c.Tag = c.Tag&^(hintMask|triesMask) | uint32(hint)
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

// Take has fasthttp serve a connection, until it asks for nothing but what is the
// lane's for a while.
func (l *lane) Take(h loop.Handed) {
	l.server.serveHanded(handed{
		fd: h.FD, local: localAddr(h.FD), remote: remoteAddr(h.Peer), accepted: h.Accepted,
		first: h.Input, began: h.Began, late: h.Late, lane: l, door: h.Door, tag: h.Tag + visit,
	})
}

// welcome takes in a connection that came by no listener. Other goroutines call it. A
// drain that begins after it finds the connection: what it asks of the loop comes later.
func (l *lane) welcome(fd int, peer unix.Sockaddr) {
	taken := l.loop.Post(func() {
		if err := l.loop.Add(fd, 0, socket.AddrOf(peer)); err != nil {
			l.lost(err)
		}
	})
	if !taken {
		_ = unix.Close(fd) // the worker ends
	}
}

// laneLimits are those that fasthttp keeps, too.
var laneLimits = loop.Limits{Read: readTimeout, Write: writeTimeout, Idle: idleTimeout, Linger: lingerTime, LingerBytes: lingerBytes}

// newLane makes the fast lane of a server. It serves from start on.
func newLane(s *server, limits loop.Limits) (*lane, error) {
	l := &lane{server: s, front: s.api.NewLane(), start: time.Now(), wall: time.Now()}
	var err error
	l.loop, err = loop.New(loop.Config{
		Limits:   limits,
		Meters:   s.store,
		Tick:     l.tick,
		Accepted: l.accepted,
		Short:    l.short,
		Lost:     l.lost,
		Failed:   func(door int, err error) { s.fail(&l.listeners[door].door, err) },
	})
	if err != nil {
		return nil, fmt.Errorf("fast lane: %w", err)
	}
	s.conns.loop = l.loop
	return l, nil
}

// run serves the listeners until the loop is stopped. They are in the loop from here
// on and no earlier: connections would be kept waiting for one that does not turn.
func (l *lane) run() {
	for _, b := range l.listeners {
		if err := l.loop.Listen(loop.Door{FD: b.fd, Shared: b.shared, Protocol: l}); err != nil {
			l.server.fail(&b.door, err)
		}
	}
	l.server.heart.loopBegun()
	go l.loop.Run() // ends with drain
}

func (l *lane) tick() {
	l.wall = time.Now()
	l.server.heart.loopBeat(l.wall)
}

func (l *lane) accepted(fd, door int) {
	l.listeners[door].accepted.Store(time.Now().UnixNano())
	if l.server.conns.admitting.Load() {
		admitFD(fd)
	}
}

func (l *lane) short(door int, err error) {
	if l.warnings.allow() {
		l.server.log.Warn("cannot accept, trying again", "addr", l.listeners[door].addr, "err", err)
	}
}

func (l *lane) lost(err error) {
	l.server.log.Warn("a connection is lost", "err", err)
}
