package listen

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Adopt takes a listening socket that was passed to this process by somebody who
// keeps it, as a service manager does: its door stays open and its path in place
// whatever becomes of this server. All slots accept from it. On an error the
// descriptor is the caller's still.
func Adopt(fd int) (*Listener, error) {
	if !isListening(fd) {
		return nil, ErrNotListening
	}
	addr, err := unix.Getsockname(fd)
	if err != nil {
		return nil, os.NewSyscallError("getsockname", err)
	}
	h := Handed{FDs: []int{fd}, Shared: true, Kept: true}
	switch a := addr.(type) {
	case *unix.SockaddrUnix:
		if !strings.HasPrefix(a.Name, "/") {
			return nil, fmt.Errorf("it is bound to the Unix address %q, which is no absolute path", a.Name)
		}
		h.Spec = Spec{Unix, a.Name}.String()
		if id, err := identify(a.Name); err == nil {
			h.Dev, h.Ino = id.dev, id.ino
		}
	case *unix.SockaddrInet4, *unix.SockaddrInet6:
		h.Spec, _ = describe(addr)
	default:
		return nil, errors.New("it is neither a TCP nor a Unix socket")
	}
	return Inherit(h)
}

// Serves reports whether the listener is bound to just what was asked for, in
// whatever spelling: not to more, which the one who asked may not want to serve.
func (l *Listener) Serves(spec Spec) bool {
	if spec.Network != l.spec.Network {
		return false
	}
	if spec.Network == Unix {
		id, err := identify(spec.Addr)
		return spec.Addr == l.spec.Addr || err == nil && id == l.path
	}
	addr, _, err := spec.resolve()
	if err != nil {
		return false // said when it is opened
	}
	host, port := parts(addr)
	own, ownPort := parts(l.addr)
	return port == ownPort && (host == own || host.IsUnspecified() && own.IsUnspecified())
}
