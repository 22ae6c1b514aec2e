package worker

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/socket"
)

// phase tells how far a connection is with its requests. It is stored by the
// connection's own goroutine; the drain alone moves quiet to leaving, and takes
// nothing else.
//
//	fresh --data--> busy --reply--> idle --data--> busy ...
//	fresh --leave--> freshLeaving    idle --leave--> idleLeaving
type phase = uint32

const (
	fresh phase = iota // accepted, nothing read
	busy               // a request has begun to arrive
	idle               // every request is answered
	freshLeaving
	idleLeaving
)

// conn is a connection that fasthttp serves. Its deadlines are words that
// conns.sweep looks at, because a runtime timer for each request costs more
// than the request's own work; they are kept to within sweepInterval.
type conn struct {
	*socket.Conn
	owner      *conns
	prev, next *conn // guarded by owner.mu
	accepted   time.Time

	// Of a connection that was handed over: what was read of it before, and by when
	// its first request has to be there, in ns since 1970, 0 once it is answered.
	// They are its goroutine's.
	first   []byte
	firstBy int64

	home home

	phase   atomic.Uint32
	readBy  atomic.Int64 // deadline in ns since 1970, 0 none
	writeBy atomic.Int64 // likewise; expired once sweep has acted on it
	linger  atomic.Bool
	closed  atomic.Bool
}

// expired in writeBy is a deadline that has passed for whoever is writing.
const expired = -1

var longAgo = time.Unix(1, 0)

// Read reads what the client sends. When a deadline interrupts it, it looks
// once more: data that has arrived is never left unread.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(p, c.first)
		if c.first = c.first[n:]; len(c.first) == 0 {
			c.first = nil // nobody else has it
		}
		c.phase.Store(busy) // a drain may have come between two requests in it
		return n, nil
	}
	// Between requests fasthttp has nothing of the next one when it reads. What it is told
	// is the end of a connection, and its Close closes nothing any more.
	if c.phase.Load() == idle && c.goHome() {
		return 0, io.EOF
	}
	for {
		n, err := c.Conn.Read(p)
		if err == nil || n > 0 {
			c.phase.Store(busy)
			c.owner.store.CountReceived(n)
			return n, err
		}
		if err == io.EOF {
			return 0, c.ended()
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			if c.phase.Load() == fresh {
				return 0, io.EOF // a look at whether somebody listens, ended by a reset
			}
			return n, err
		}
		n, ended := c.Conn.ReadNow(p)
		switch {
		case ended:
			return 0, c.ended()
		case n > 0:
			c.phase.Store(busy)
			c.owner.store.CountReceived(n)
			_ = c.Conn.SetReadDeadline(time.Time{})
			return n, nil
		case c.isLeaving():
			return 0, io.EOF
		}
		if by := c.readBy.Load(); by != 0 && time.Now().UnixNano() >= by {
			if c.phase.Load() == fresh {
				return 0, io.EOF // nothing was asked, so there is nothing to refuse
			}
			return 0, err
		}
		// Interrupted for a deadline or a drain that a request has overtaken.
		_ = c.Conn.SetReadDeadline(time.Time{})
	}
}

// ended is what Read returns at the end of the stream. To fasthttp io.EOF is the
// end of a connection even within a chunked body, where a reply is due.
func (c *conn) ended() error {
	if c.phase.Load() == busy {
		return io.ErrUnexpectedEOF
	}
	return io.EOF
}

// Write writes all of p, unless the write deadline passes first.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.write(p)
	c.owner.store.CountSent(n)
	return n, err
}

func (c *conn) write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	for err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		by := c.writeBy.Load()
		if by == expired || by != 0 && time.Now().UnixNano() >= by {
			return n, err
		}
		// Interrupted for an earlier deadline.
		_ = c.Conn.SetWriteDeadline(time.Time{})
		var more int
		more, err = c.Conn.Write(p[n:])
		n += more
	}
	return n, err
}

// SetReadDeadline is called by fasthttp as if a connection that was handed over were
// a new one: what its client has used of the time for the first request stays used.
func (c *conn) SetReadDeadline(t time.Time) error {
	by := deadline(t)
	if c.firstBy != 0 && (by == 0 || by > c.firstBy) {
		by = c.firstBy
	}
	c.readBy.Store(by)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.writeBy.Store(deadline(t))
	return nil
}

func (c *conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func deadline(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// expire interrupts whoever waits beyond a deadline.
func (c *conn) expire(now int64) {
	if by := c.readBy.Load(); by != 0 && now >= by {
		_ = c.Conn.SetReadDeadline(longAgo)
	}
	if by := c.writeBy.Load(); by > 0 && now >= by && c.writeBy.CompareAndSwap(by, expired) {
		_ = c.Conn.SetWriteDeadline(longAgo)
	}
}

// leave ends a connection that is between requests, unless a request arrives
// before its goroutine has looked a last time. It reports whether it was quiet.
func (c *conn) leave() bool {
	if !c.phase.CompareAndSwap(idle, idleLeaving) && !c.phase.CompareAndSwap(fresh, freshLeaving) && !c.isLeaving() {
		return false
	}
	_ = c.Conn.SetReadDeadline(longAgo)
	return true
}

// hurry ends the wait for the rest of a request, which is answered as one that did
// not arrive in time.
func (c *conn) hurry() {
	if c.phase.Load() == busy && !c.closed.Load() {
		c.readBy.Store(longAgo.UnixNano())
		_ = c.Conn.SetReadDeadline(longAgo)
	}
}

func (c *conn) isLeaving() bool {
	p := c.phase.Load()
	return p == idleLeaving || p == freshLeaving
}

// stateChanged is fasthttp's hook, called by the connection's goroutine.
// StateActive comes before the first read, and again for each request that
// was read along with another.
func stateChanged(nc net.Conn, state fasthttp.ConnState) {
	c, ok := nc.(*conn)
	if !ok {
		return
	}
	switch state {
	case fasthttp.StateActive:
		if p := c.phase.Load(); p == idle || p == idleLeaving {
			c.phase.Store(busy)
		}
	case fasthttp.StateIdle:
		c.firstBy = 0
		c.phase.Store(idle)
	}
}

// Bounds of what is read from a client that was refused before it had sent
// all, so that the refusal reaches it and not a reset.
const (
	lingerTime  = time.Second
	lingerBytes = 4 << 20
)

// Close closes the connection; only the first call counts.
func (c *conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	if c.linger.Load() {
		c.drainInput()
	}
	c.owner.remove(c)
	c.owner.store.ConnClosed()
	err := c.Conn.Close()
	c.owner.descriptorFreed()
	return err
}

// moved ends this side's part in a connection that goes on elsewhere.
func (c *conn) moved() {
	c.closed.Store(true)
	c.owner.remove(c)
	_ = c.Conn.Close()
	c.owner.descriptorFreed()
}

func (c *conn) drainInput() {
	if c.Conn.CloseWrite() != nil {
		return
	}
	_ = c.Conn.SetReadDeadline(time.Now().Add(lingerTime))
	n, _ := io.CopyN(io.Discard, c.Conn, lingerBytes)
	c.owner.store.CountReceived(int(n))
}
