package loop

import (
	"net/netip"
	"time"
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
	ending bool // the client's stream ends with what is there to be read
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
