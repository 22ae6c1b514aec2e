package loop

import (
	"errors"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// phase is how far a connection is with its requests.
type phase uint8

const (
	closed   phase = iota // or handed over, or never opened
	fresh                 // accepted, nothing read
	partial               // a request has begun to arrive
	idle                  // every request is answered and sent
	replying              // replies wait until the client takes them
	closing               // the last reply is sent
)

// Conn is a connection of a loop.
type Conn struct {
	// Tag is the protocol's own. It is 0 at first, and goes with the connection when it
	// is handed over.
	Tag uint32

	phase  phase
	last   bool // the connection ends with the replies that wait
	unread bool // rest may have whole requests
	broken bool // a short read may have left something, see connEvents
	queued bool // it has a turn coming without an event
	door   uint16
	fd     int32
	// generation tells an event of this connection from one of an earlier connection
	// of the same descriptor.
	generation uint32

	deadline   tick // of the phase
	slot       tick // where the wheel has it; not after the deadline unless that has moved since
	prev, next *Conn

	rest     []byte        // read and not used
	out      []byte        // replies that wait
	began    time.Duration // when the first byte of rest was read
	accepted time.Duration
	peer     netip.AddrPort
	budget   int // bytes that may still be thrown away
}

// Peer is the address of the client, not valid on a Unix socket.
func (c *Conn) Peer() netip.AddrPort { return c.peer }

// shut makes it one that is not there, and its events and turns void.
func (c *Conn) shut() {
	*c = Conn{fd: -1, generation: c.generation + 1}
	if c.generation == 0 { // the mark of what is no connection
		c.generation = 1
	}
}

// keep copies what was read and not used.
func (c *Conn) keep(in []byte) { c.rest = append(c.rest[:0], in...) }

// Add takes in a non-blocking connection as if it had been accepted from a door. On an
// error it is closed. The loop calls it (Post).
func (l *Loop) Add(fd, door int, peer netip.AddrPort) error {
	c, err := l.insert(fd)
	if err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	c.door, c.peer, c.accepted = uint16(door), peer, time.Since(l.start)
	l.config.Meters.ConnOpened()
	l.settle(c, fresh, l.limits.read)
	l.config.Accepted(fd, door)
	return nil
}

// Return takes in a connection that was handed over, between two requests. On an error
// it is closed, for good. The loop calls it (Post).
func (l *Loop) Return(h Handed) error {
	c, err := l.insert(h.FD)
	if err != nil {
		l.config.Meters.ConnClosed()
		err = errors.Join(err, unix.Close(h.FD))
		l.Freed()
		return err
	}
	c.door, c.peer, c.accepted, c.Tag = uint16(h.Door), h.Peer, h.Accepted.Sub(l.start), h.Tag
	l.settle(c, idle, l.limits.idle)
	return nil
}

// insert makes a connection of a descriptor.
func (l *Loop) insert(fd int) (*Conn, error) {
	for fd >= len(l.conns) {
		l.conns = append(l.conns, nil)
	}
	c := l.conns[fd]
	if c == nil {
		c = &Conn{generation: 1}
		l.conns[fd] = c
	}
	e := unix.EpollEvent{Events: connEvents, Fd: int32(fd), Pad: int32(c.generation)}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	c.fd = int32(fd)
	l.open.Add(1)
	return c, nil
}
