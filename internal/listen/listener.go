package listen

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrInUse: another process listens on the address.
var ErrInUse = errors.New("address already in use")

// Mode tells how the workers divide the connections of an address.
type Mode string

const (
	// PerSlot: a socket for each worker; the kernel picks one by the hash of
	// the connection. Unix sockets cannot do it and have one for all.
	PerSlot Mode = "reuseport"
	// Shared: one socket, accepted from by whoever is free.
	Shared Mode = "shared"
)

// ParseMode reads a mode by its name.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case PerSlot, Shared:
		return m, nil
	}
	return "", fmt.Errorf("accept mode %q is not one of %s, %s", s, PerSlot, Shared)
}

// Listener is the sockets of one address. It is not safe for concurrent use.
type Listener struct {
	spec   Spec
	shared bool
	addr   unix.Sockaddr // as bound, TCP only
	text   string        // as bound
	fds    []int         // by slot; one when shared
	path   fileID        // Unix only

	spare    []int // bound, and not listening: for slots to come
	reserves bool  // see Reserve

	cpus []int // see SteerByCPU; nil: the kernel picks by hash

	inherited, kept, lent bool // see Inherit
}

// Open binds and listens for the given number of slots. The address must be
// free: ErrInUse is returned even where SO_REUSEPORT would allow to share it
// with a process of the same user.
func Open(spec Spec, slots int, mode Mode) (*Listener, error) {
	if spec.Network == Unix {
		return openUnix(spec)
	}
	addr, family, err := spec.resolve()
	if err != nil {
		return nil, err
	}
	l := &Listener{spec: spec, shared: mode == Shared}
	// The first socket listens on its own, which the kernel refuses while
	// anybody else does; only then is the port opened to its siblings.
	fd, err := openTCP(family, addr, false)
	if err != nil {
		return nil, l.failed(err)
	}
	l.fds = []int{fd}
	if !l.shared {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			l.Close()
			return nil, l.failed(os.NewSyscallError("setsockopt", err))
		}
	}
	if l.addr, err = unix.Getsockname(fd); err != nil {
		l.Close()
		return nil, l.failed(os.NewSyscallError("getsockname", err))
	}
	var port int
	l.text, port = describe(l.addr)
	l.addr = withPort(addr, port)
	if err := l.Resize(slots); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// Resize opens or closes sockets until there is one for each of the given
// number of slots. The last are closed first, so that the others keep their
// numbers. A shared listener has one for all.
func (l *Listener) Resize(slots int) error {
	var all error
	for !l.shared && len(l.fds) > max(slots, 1) {
		last := len(l.fds) - 1
		all = errors.Join(all, l.release(l.fds[last]))
		l.fds = l.fds[:last]
	}
	for !l.shared && len(l.fds) < slots {
		fd, err := l.another()
		if err != nil {
			return l.failed(err)
		}
		l.fds = append(l.fds, fd)
	}
	return all
}

// FD returns the socket of a slot. It stays the Listener's own: pass it on by
// duplicating it, and not through os.File.
func (l *Listener) FD(slot int) int {
	if l.shared {
		return l.fds[0]
	}
	return l.fds[slot]
}

// Queued is how many connections wait in the queue of a slot's socket; 0 where
// that is not known.
func (l *Listener) Queued(slot int) int {
	if l.spec.Network != TCP {
		return 0
	}
	// Of a listening socket the kernel tells the length of its queue there.
	info, err := unix.GetsockoptTCPInfo(l.FD(slot), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0
	}
	return int(info.Unacked)
}

// Network returns TCP or Unix.
func (l *Listener) Network() string { return l.spec.Network }

// Addr returns the address as bound, with the port that port 0 became.
func (l *Listener) Addr() string { return l.text }

// IsShared reports whether all slots accept from one socket.
func (l *Listener) IsShared() bool { return l.shared }

// String returns the bound address as ParseSpec reads it.
func (l *Listener) String() string { return Spec{Network: l.spec.Network, Addr: l.text}.String() }

// CloseDoor lets no new connection in, on any slot. What is queued, and
// handshakes under way, can still be accepted. It cannot be taken back. Of a
// lent listener the door is not this process's to close.
func (l *Listener) CloseDoor() error {
	if l.lent {
		return nil
	}
	if l.spec.Network == Unix {
		return l.withdraw()
	}
	var all error
	for _, fd := range l.fds {
		all = errors.Join(all, CloseDoor(fd))
	}
	return all
}

// Close closes the master's sockets and removes the path of a Unix socket if
// it is still this one, and not lent.
func (l *Listener) Close() error {
	var all error
	if l.spec.Network == Unix && !l.lent {
		all = l.withdraw()
	}
	for _, fd := range append(l.fds, l.spare...) {
		all = errors.Join(all, os.NewSyscallError("close", unix.Close(fd)))
	}
	l.fds, l.spare = nil, nil
	return all
}

// failed says what to do about an address that cannot be opened.
func (l *Listener) failed(err error) error {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		owner := "the process that listens there"
		if found := l.spec.owner(); found != "" {
			owner = found
		}
		return fmt.Errorf("--listen %s: %w; stop %s, or choose another address", l.spec, ErrInUse, owner)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("--listen %s: this host does not have the address; use one of its own, or 0.0.0.0 for all: %w", l.spec, err)
	case errors.Is(err, unix.EACCES) && l.spec.Network == TCP:
		return fmt.Errorf("--listen %s: ports below 1024 need CAP_NET_BIND_SERVICE; choose a higher port: %w", l.spec, err)
	}
	return fmt.Errorf("--listen %s: %w", l.spec, err)
}

// Covers reports whether this listener is what keeps the address from being
// opened: it is the same one, spelled in another way, or all addresses of its port.
func (l *Listener) Covers(spec Spec) bool {
	if spec.Network != l.spec.Network {
		return false
	}
	if spec.Network == Unix {
		id, err := identify(spec.Addr)
		return err == nil && id == l.path
	}
	addr, _, err := spec.resolve()
	if err != nil {
		return false
	}
	host, port := parts(addr)
	own, ownPort := parts(l.addr)
	return port == ownPort && (host == own || host.IsUnspecified() || own.IsUnspecified())
}

// openTCP returns a listening socket.
func openTCP(family int, addr unix.Sockaddr, reusePort bool) (fd int, err error) {
	fd, err = bindTCP(family, addr, reusePort)
	if err != nil {
		return -1, err
	}
	if err := unix.Listen(fd, backlog()); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("listen", err)
	}
	return fd, nil
}

// bindTCP returns a bound socket. It is plain TCP: the kernel would not
// steer connections of MPTCP sockets by a program.
func bindTCP(family int, addr unix.Sockaddr, reusePort bool) (fd int, err error) {
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	// Connections of an earlier server in TIME_WAIT do not hold the port.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return -1, os.NewSyscallError("setsockopt", err)
	}
	if reusePort {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return -1, os.NewSyscallError("setsockopt", err)
		}
	}
	if v6, is := addr.(*unix.SockaddrInet6); is {
		// The unspecified address takes IPv4 too, whatever the host's default.
		only := 0
		if v6.Addr != [16]byte{} {
			only = 1
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only); err != nil {
			return -1, os.NewSyscallError("setsockopt", err)
		}
	}
	if err := unix.Bind(fd, addr); err != nil {
		return -1, os.NewSyscallError("bind", err)
	}
	return fd, nil
}

// backlog is the longest queue that the host allows, in connections.
func backlog() int {
	b, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	if err != nil {
		return unix.SOMAXCONN
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || n < 1 {
		return unix.SOMAXCONN
	}
	return n
}
