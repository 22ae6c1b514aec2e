package loop

import (
	"net/netip"
	"time"
)

// Protocol answers what arrives on a connection. The loop calls it from one goroutine.
type Protocol interface {
	// Step reads the first request of the input, which is not empty, and appends its
	// reply to out. It returns how many bytes of the input are done with, and out.
	// Neither slice may be kept. With More, Later and HandOver, out must be as it was
	// given.
	Step(c *Conn, in, out []byte) (used int, reply []byte, next Next)
	// Take owns a connection that the loop has given up.
	Take(h Handed)
}

// Next is what follows a step.
type Next uint8

const (
	// More: the input has no whole request. Nothing was used of it. What does not fit
	// 16 KiB is handed over.
	More Next = iota
	// Again: a request was answered, and there may be another.
	Again
	// Later: nothing was used. The same input is to be looked at again when the others
	// have had their turn.
	Later
	// Close: a request was answered, and the connection ends with its reply.
	Close
	// HandOver: the connection goes to Take, with the input that was not used.
	HandOver
)

// Handed is a connection that leaves the loop, or comes back (Return) with no Input.
// Its replies have been sent.
type Handed struct {
	FD       int            // non-blocking, and the taker's to close
	Door     int            // the number of the door that it came by
	Peer     netip.AddrPort // not valid on a Unix socket
	Input    []byte         // the bytes that were read and not used; the taker's
	Late     bool           // the rest of the request did not come in time
	Tag      uint32         // see Conn
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

// Limits are how long a client may take, to a tick, and how much it may send in vain.
type Limits struct {
	Read        time.Duration // for a request, and for the first byte of a connection
	Write       time.Duration // to take the replies that are ready
	Idle        time.Duration // between requests
	Linger      time.Duration // to close its side after the last reply
	LingerBytes int           // that are read meanwhile
}
