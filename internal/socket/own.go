package socket

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Own takes over a connected stream socket that is non-blocking. Nobody else may use
// the descriptor from here on, or have it in a poller; on an error it is closed.
//
// The net package would make a duplicate of it, and fail where there is no
// descriptor left.
func Own(fd int, local, remote net.Addr) (*Conn, error) {
	f := os.NewFile(uintptr(fd), "connection") // into the runtime's poller
	if f == nil {
		return nil, fmt.Errorf("connection on descriptor %d: %w", fd, unix.EBADF)
	}
	raw, err := f.SyscallConn()
	if err == nil {
		err = f.SetReadDeadline(time.Time{}) // which the poller keeps, if it has the descriptor
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connection on descriptor %d: %w", fd, err), f.Close())
	}
	o := &owned{File: f, local: local, remote: remote}
	return newConn(o, rawOwned{raw, o}), nil
}

// owned is a connection as the net package has them, on a file. Read and Write are
// the file's, and not called: Conn has its own.
type owned struct {
	*os.File
	local, remote net.Addr
	closed        atomic.Bool
}

func (o *owned) LocalAddr() net.Addr  { return o.local }
func (o *owned) RemoteAddr() net.Addr { return o.remote }

func (o *owned) SetDeadline(t time.Time) error      { return o.asNet(o.File.SetDeadline(t)) }
func (o *owned) SetReadDeadline(t time.Time) error  { return o.asNet(o.File.SetReadDeadline(t)) }
func (o *owned) SetWriteDeadline(t time.Time) error { return o.asNet(o.File.SetWriteDeadline(t)) }

func (o *owned) Close() error {
	if o.closed.Swap(true) { // before anybody can find the file closed
		return net.ErrClosed
	}
	return o.File.Close()
}

// asNet is an error of the file as the net package has it. That of a file which is
// closed has no name outside of the standard library.
func (o *owned) asNet(err error) error {
	if err != nil && o.closed.Load() {
		return net.ErrClosed
	}
	return err
}

// rawOwned has the errors of its calls from asNet.
type rawOwned struct {
	syscall.RawConn
	owned *owned
}

func (r rawOwned) Control(f func(fd uintptr)) error { return r.owned.asNet(r.RawConn.Control(f)) }

func (r rawOwned) Read(f func(fd uintptr) bool) error { return r.owned.asNet(r.RawConn.Read(f)) }

func (r rawOwned) Write(f func(fd uintptr) bool) error { return r.owned.asNet(r.RawConn.Write(f)) }
