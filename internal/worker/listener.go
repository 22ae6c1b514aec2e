package worker

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/listen"
)

// listener accepts from an inherited socket. Its Accept outlasts every shortage,
// because fasthttp ends its loop on any error.
type listener struct {
	net.Listener
	addr   string
	shared bool // other workers accept from the same queue
	kept   bool // its door is not this server's
	raw    syscall.RawConn
	conns  *conns
	log    *slog.Logger

	warnings  throttle
	closing   chan struct{}
	closeOnce sync.Once
	accepted  atomic.Int64 // time of the last connection, in ns since 1970
}

// inherit wraps the descriptor that the master handed over; the descriptor
// itself is closed. net.FileListener works on a duplicate, and sets the
// description behind both non-blocking, which it is already. Nothing here may
// clear that, as (*net.TCPListener).File would: the siblings share it.
func inherit(l handoff.Listener, set *conns, log *slog.Logger) (*listener, error) {
	f := os.NewFile(uintptr(l.FD), l.Network+":"+l.Addr)
	if f == nil {
		return nil, fmt.Errorf("listener %s: descriptor %d is not valid", l.Addr, l.FD)
	}
	defer f.Close()
	nl, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("listener %s on descriptor %d: %w", l.Addr, l.FD, err)
	}
	raw, err := nl.(syscall.Conn).SyscallConn()
	if err != nil {
		nl.Close()
		return nil, fmt.Errorf("listener %s: %w", l.Addr, err)
	}
	return &listener{
		Listener: nl, addr: l.Addr, shared: l.Shared, kept: l.Kept, raw: raw, conns: set, log: log,
		closing: make(chan struct{}),
	}, nil
}

// Bounds of the wait after a failed accept.
const (
	acceptDelayMin = 5 * time.Millisecond
	acceptDelayMax = time.Second
)

// Accept waits for a connection. It returns io.EOF when the listener is
// closed, and another error only if the socket cannot be accepted from ever.
func (l *listener) Accept() (net.Conn, error) {
	for delay := time.Duration(0); ; {
		nc, err := l.Listener.Accept()
		var c *conn
		if err == nil {
			c, err = l.conns.add(nc)
		}
		switch {
		case err == nil:
			l.accepted.Store(c.accepted.UnixNano())
			return c, nil
		case errors.Is(err, net.ErrClosed):
			return nil, io.EOF
		case isPermanent(err):
			return nil, err
		}
		if l.warnings.allow() {
			l.log.Warn("cannot accept, trying again", "addr", l.addr, "err", err)
		}
		delay = min(max(2*delay, acceptDelayMin), acceptDelayMax)
		l.rest(delay)
	}
}

// isPermanent tells an unusable socket from a shortage (EMFILE, ENFILE, ENOBUFS,
// ENOMEM) and from a connection that failed before it was accepted.
func isPermanent(err error) bool {
	for _, e := range []unix.Errno{unix.EBADF, unix.EINVAL, unix.ENOTSOCK, unix.EOPNOTSUPP} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// rest waits until the delay is over, a connection of this worker has given
// its descriptor back, or the listener is closed.
func (l *listener) rest(delay time.Duration) {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	l.conns.starving.Add(1)
	defer l.conns.starving.Add(-1)
	select {
	case <-timer.C:
	case <-l.conns.freed:
	case <-l.closing:
	}
}

// queueEmpty reports whether no connection waits to be accepted.
func (l *listener) queueEmpty() bool {
	p := []unix.PollFd{{Events: unix.POLLIN | unix.POLLRDHUP}}
	ready := 0
	control := l.raw.Control(func(fd uintptr) {
		p[0].Fd = int32(fd)
		ready, _ = unix.Poll(p, 0)
	})
	if control != nil || ready <= 0 {
		return true
	}
	if p[0].Revents&unix.POLLRDHUP == 0 {
		return false
	}
	// A Unix socket whose door is closed is readable for good. Nothing enters
	// its queue any more, and whatever was there has been accepted unless
	// Accept is held up.
	return l.conns.starving.Load() == 0 && time.Since(time.Unix(0, l.accepted.Load())) >= settle
}

// closeDoor lets no new connection in, for everybody who holds the socket.
func (l *listener) closeDoor() error {
	var err error
	if control := l.raw.Control(func(fd uintptr) { err = listen.CloseDoor(int(fd)) }); control != nil {
		return control
	}
	return err
}

// Close ends Accept. The master's descriptor of the socket stays open.
func (l *listener) Close() error {
	l.closeOnce.Do(func() { close(l.closing) })
	return l.Listener.Close()
}
