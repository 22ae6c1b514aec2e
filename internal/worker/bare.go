package worker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/listen"
)

// bareListener is a listening socket as a descriptor, for a loop that accepts by
// itself. The runtime's poller does not have it: it would wake a thread for each
// connection.
type bareListener struct {
	door
	fd int // the loop's until close

	mu     sync.RWMutex
	closed bool
}

// inheritBare takes the descriptor over that the master handed to this worker. It is
// closed on an error. As with inherit, it stays non-blocking.
func inheritBare(l handoff.Listener, set *conns) (*bareListener, error) {
	refuse := func(err error) (*bareListener, error) {
		_ = unix.Close(l.FD) // it may be none
		return nil, fmt.Errorf("listener %s on descriptor %d: %w", l.Addr, l.FD, err)
	}
	listens, err := unix.GetsockoptInt(l.FD, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil {
		return refuse(os.NewSyscallError("getsockopt", err))
	}
	if listens == 0 {
		return refuse(errors.New("it does not listen"))
	}
	sa, err := unix.Getsockname(l.FD)
	if err != nil {
		return refuse(os.NewSyscallError("getsockname", err))
	}
	if err := unix.SetNonblock(l.FD, true); err != nil {
		return refuse(os.NewSyscallError("fcntl", err))
	}
	unix.CloseOnExec(l.FD)
	if err := listen.PrepareStreams(l.FD); err != nil {
		return refuse(err)
	}
	b := &bareListener{fd: l.FD, door: door{addr: l.Addr, local: netAddr(sa), shared: l.Shared, kept: l.Kept, conns: set}}
	b.control, b.end = b.use, b.close
	return b, nil
}

func (b *bareListener) use(f func(fd uintptr)) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.closed {
		return net.ErrClosed
	}
	f(uintptr(b.fd))
	return nil
}

// close closes the descriptor, which must be in no poller any more: the socket is
// the master's, too, and stays in a poller as long as it is.
func (b *bareListener) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return net.ErrClosed
	}
	b.closed = true
	return os.NewSyscallError("close", unix.Close(b.fd))
}
