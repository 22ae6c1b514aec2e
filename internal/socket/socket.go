// Package socket moves bytes through stream sockets at the cost of the system call
// alone.
//
// A system call of the net package is announced to the Go scheduler, in case it
// blocks. One that reads or writes what is there takes some ten microseconds, just
// long enough for the scheduler's watcher to take the processor away from the
// goroutine, wake another thread for it, and have two threads of one worker compete
// for one CPU (docs/adr/0012-quiet-syscalls.md). So the calls here are not announced.
// They do not wait for the other side: where nothing can be moved, the goroutine
// waits in the runtime's poller as it does with the net package, deadlines included.
package socket

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// most is how many bytes one quiet call moves. Nothing else of the process runs on
	// its processor meanwhile: some 10 us of copying.
	most = 64 << 10
	// turn is how many reads in a row may find something at once before others have
	// their turn. A client that sends without end would keep the processor until the
	// watcher takes it away, for 20 ms, and so would the next one, while the heartbeat
	// waits behind them all. One that waits for its answers finds nothing after each.
	turn = 2
)

// Conn is a connection that reads and writes quietly, and is else as those of the net
// package. At any time one goroutine may read it and one may write it.
type Conn struct {
	net.Conn
	raw    syscall.RawConn
	in     transfer
	out    transfer
	streak int // reads in a row that did not wait; the reader's
}

// transfer is one read or write under way, and what the poller calls to try it.
type transfer struct {
	p   []byte
	n   int
	err error
	try func(fd uintptr) (done bool)
}

// New takes over a TCP or Unix stream connection, and refuses what has no descriptor.
func New(nc net.Conn) (*Conn, error) {
	source, ok := nc.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("a %T is no socket", nc)
	}
	raw, err := source.SyscallConn()
	if err != nil {
		return nil, err
	}
	return newConn(nc, raw), nil
}

func newConn(nc net.Conn, raw syscall.RawConn) *Conn {
	c := &Conn{Conn: nc, raw: raw}
	c.in.try, c.out.try = c.tryRead, c.tryWrite // here, so that no call makes a closure
	return c
}

// Read reads what has arrived, or waits for something.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if c.streak == turn {
		c.streak = 0
		runtime.Gosched()
	}
	c.streak++
	c.in.p, c.in.n, c.in.err = p, 0, nil
	err := c.raw.Read(c.in.try)
	c.in.p = nil
	if err != nil {
		return 0, c.failed("read", err)
	}
	return c.in.n, c.in.err
}

func (c *Conn) tryRead(fd uintptr) bool {
	n, errno := receive(fd, c.in.p)
	switch {
	case errno == syscall.EAGAIN:
		c.streak = 0
		return false
	case errno != 0:
		c.in.err = c.failed("read", os.NewSyscallError("recvfrom", errno))
	case n == 0:
		c.in.err = io.EOF
	default:
		c.in.n = n
	}
	return true
}

// ReadNow reads what has arrived, without waiting. ended says that nothing more will:
// the client has closed its side, or the connection has failed.
func (c *Conn) ReadNow(p []byte) (n int, ended bool) {
	var errno syscall.Errno
	if err := c.raw.Control(func(fd uintptr) { n, errno = receive(fd, p) }); err != nil {
		return 0, true
	}
	return n, errno != syscall.EAGAIN && n == 0
}

// Write writes all of p.
func (c *Conn) Write(p []byte) (int, error) {
	c.out.p, c.out.n, c.out.err = p, 0, nil
	err := c.raw.Write(c.out.try)
	c.out.p = nil
	if err != nil {
		return c.out.n, c.failed("write", err)
	}
	return c.out.n, c.out.err
}

func (c *Conn) tryWrite(fd uintptr) bool {
	for c.out.n < len(c.out.p) {
		n, errno := send(fd, c.out.p[c.out.n:])
		switch {
		case errno == syscall.EAGAIN:
			return false
		case errno != 0:
			c.out.err = c.failed("write", os.NewSyscallError("sendto", errno))
			return true
		case n == 0:
			c.out.err = c.failed("write", io.ErrUnexpectedEOF)
			return true
		}
		c.out.n += n
	}
	return true
}

// failed gives an error the form that the net package gives it.
func (c *Conn) failed(op string, err error) error {
	var already *net.OpError // of the poller: raw-read, raw-write
	if errors.As(err, &already) {
		err = already.Err
	}
	return &net.OpError{Op: op, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// CloseWrite ends this side of the connection.
func (c *Conn) CloseWrite() error {
	var err error
	if control := c.raw.Control(func(fd uintptr) { err = unix.Shutdown(int(fd), unix.SHUT_WR) }); control != nil {
		return control
	}
	return err
}

// Control calls f with the descriptor, which stays open until f returns.
func (c *Conn) Control(f func(fd uintptr)) error { return c.raw.Control(f) }
