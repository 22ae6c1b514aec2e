// Package socket moves bytes through stream sockets at the cost of the system call
// alone.
//
// A system call of the net package is announced to the Go scheduler, in case it
// blocks. One on a socket that never blocks takes some ten microseconds, which is
// just long enough for the scheduler's watcher to take the processor away from the
// goroutine, wake another thread for it, and have two threads of one worker compete
// for one CPU: a tenth of all that a worker's CPU did, and half of the time that its
// requests waited for one (docs/adr/0012-quiet-syscalls.md). So the calls here are
// not announced. They never wait: where nothing can be moved, the goroutine waits in
// the runtime's poller as it does with the net package, deadlines included.
package socket

import (
	"fmt"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// most is how many bytes one quiet call moves. Nothing else of the process runs on
// its processor meanwhile: some 10 us of copying.
const most = 64 << 10

// Conn is a connection of the net package that reads and writes quietly. At any time
// one goroutine may read it and one may write it.
type Conn struct {
	net.Conn
	raw syscall.RawConn
	in  transfer
	out transfer
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
	c := &Conn{Conn: nc, raw: raw}
	c.in.try, c.out.try = c.tryRead, c.tryWrite // here, so that no call makes a closure
	return c, nil
}

// Read reads what has arrived, or waits for something.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.in.p, c.in.n, c.in.err = p, 0, nil
	if err := c.raw.Read(c.in.try); err != nil {
		return 0, err
	}
	c.in.p = nil
	return c.in.n, c.in.err
}

func (c *Conn) tryRead(fd uintptr) bool {
	n, errno := receive(fd, c.in.p[:min(len(c.in.p), most)])
	switch {
	case errno == syscall.EAGAIN:
		return false
	case errno != 0:
		c.in.err = &net.OpError{Op: "read", Net: c.LocalAddr().Network(), Addr: c.RemoteAddr(), Err: errno}
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
	if err := c.raw.Write(c.out.try); err != nil {
		return c.out.n, err
	}
	c.out.p = nil
	return c.out.n, c.out.err
}

func (c *Conn) tryWrite(fd uintptr) bool {
	for c.out.n < len(c.out.p) {
		rest := c.out.p[c.out.n:]
		n, errno := send(fd, rest[:min(len(rest), most)])
		switch {
		case errno == syscall.EAGAIN:
			return false
		case errno != 0:
			c.out.err = &net.OpError{Op: "write", Net: c.LocalAddr().Network(), Addr: c.RemoteAddr(), Err: errno}
			return true
		}
		c.out.n += n
	}
	return true
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
