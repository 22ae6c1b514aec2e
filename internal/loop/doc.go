// Package loop serves many connections on one thread: it accepts, reads, has a
// Protocol answer, and writes. It knows connections and bytes. What the bytes mean is
// the protocol's business, and there may be several, one for each door.
//
// A request that has arrived whole costs one read, one write and its share of a wait,
// and nothing else of the kernel or of the Go scheduler: no goroutine is woken for it.
// Requests that arrived together are answered together. What a protocol does not
// answer itself leaves the loop with its connection (HandOver), and whoever takes it
// may wait and compute at leisure. A protocol's step must not: all others wait for it.
//
// # States
//
//	fresh ──bytes──► partial ◄──────► idle        idle: every request is answered
//	  │                 │  └──whole──►  │
//	  │              replying ◄─────────┤         replying: the client does not take its replies
//	  ▼                 ▼               ▼
//	closed          handed over      closing ──► closed
//	                    └──Return──► idle
//
// closing: the replies are sent, the client is told so, and what it still sends is
// read and thrown away for a while. A connection that is closed with unread bytes is
// reset, and the reset may overtake the last reply.
//
// # Time
//
// Each state but idle has a limit from its beginning. A wheel of slots, a tenth of a
// second each, keeps them: a request moves its connection's deadline by one store,
// and the wheel looks at the connection when the time comes that was true before.
// Nothing is ended by the clock that has sent something: before it closes, the loop
// looks once more.
//
// # Order
//
// Everything happens on the goroutine of Run, except where a method says otherwise.
// Other goroutines have their say by Do.
package loop

import (
	"net/netip"
	"time"
)

// Protocol answers what arrives on a connection. The loop calls it from one goroutine.
type Protocol interface {
	// Step reads the first request of the input, which is not empty, and appends its
	// reply to out. It returns how many bytes of the input are done with, and out.
	// Neither slice may be kept. With HandOver, out must be as it was given.
	Step(c *Conn, in, out []byte) (used int, reply []byte, next Next)
	// Take owns a connection that the loop has given up.
	Take(h Handed)
}

// Next is what follows a step.
type Next uint8

const (
	// More: the input has no whole request. Nothing was used of it.
	More Next = iota
	// Again: a request was answered, and there may be another.
	Again
	// Close: a request was answered, and the connection ends with its reply.
	Close
	// HandOver: the connection goes to Take, with the input that was not used.
	HandOver
)

// Handed is a connection that leaves the loop. Its replies have been sent.
type Handed struct {
	FD       int            // non-blocking, and the taker's to close
	Door     int            // the number of the door that it came by
	Peer     netip.AddrPort // not valid on a Unix socket
	Input    []byte         // the bytes that were read and not used; the taker's
	Late     bool           // the rest of the request did not come in time
	Tag      uint32
	Accepted time.Time
	Began    time.Time // when the first byte of the input was read
}

// Meters count. A connection that is handed over is not closed here.
type Meters interface {
	ConnOpened()
	ConnClosed()
	CountReceived(bytes int)
	CountSent(bytes int)
}

// Limits are how long a client may take.
type Limits struct {
	Read   time.Duration // for a request, and for the first byte of a connection
	Write  time.Duration // to take the replies that are ready
	Idle   time.Duration // between requests
	Linger time.Duration // to close its side after the last reply
}

// lingerBytes is how much is read of a client that sends on after its last reply.
const lingerBytes = 4 << 20

// Sizes in bytes. A client that does not take its replies makes the loop keep one
// input, one output and one reply.
const (
	inputSize = 16 << 10 // of one read
	// outputSize is how much is answered before it is sent. One reply may exceed it.
	outputSize = 16 << 10
	// outputKept bounds the buffer for replies that the loop keeps.
	outputKept = 4 * outputSize
)
