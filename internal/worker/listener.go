package worker

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/socket"
)

// listener accepts from an inherited socket. Its Accept outlasts every shortage,
// because fasthttp ends its loop on any error.
type listener struct {
	net.Listener
	door
	log *slog.Logger

	warnings  throttle
	closing   chan struct{}
	closeOnce sync.Once
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
	in := &listener{
		Listener: nl, log: log, closing: make(chan struct{}),
		door: door{addr: l.Addr, local: nl.Addr(), shared: l.Shared, kept: l.Kept, control: raw.Control, conns: set},
	}
	in.end = in.Close
	return in, nil
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
		switch {
		case err == nil:
			c, err := l.conns.add(nc)
			if err != nil {
				l.log.Warn("a connection is lost", "addr", l.addr, "err", err)
				continue
			}
			l.accepted.Store(c.accepted.UnixNano())
			return c, nil
		case errors.Is(err, net.ErrClosed):
			return nil, io.EOF
		case socket.IsPermanent(err):
			return nil, err
		}
		if l.warnings.allow() {
			l.log.Warn("cannot accept, trying again", "addr", l.addr, "err", err)
		}
		delay = min(max(2*delay, acceptDelayMin), acceptDelayMax)
		l.rest(delay)
	}
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

// Close ends Accept. The master's descriptor of the socket stays open.
func (l *listener) Close() error {
	l.closeOnce.Do(func() { close(l.closing) })
	return l.Listener.Close()
}
