package listen

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// ErrNotListening: a descriptor is no socket that connections can be accepted
// from.
var ErrNotListening = errors.New("not a listening stream socket")

// Handed is a listener as one process hands it to another.
type Handed struct {
	Spec   string `json:"spec"`   // as ParseSpec reads it
	FDs    []int  `json:"fds"`    // in the order in which they began to listen; the receiver's numbers
	Shared bool   `json:"shared"` // one socket for all slots
	// Reserved: no more sockets can be bound than there are, see Reserve; Spare
	// are those of them that do not listen yet.
	Reserved bool  `json:"reserved,omitempty"`
	Spare    []int `json:"spare,omitempty"`
	// Kept: somebody outside of this server keeps the socket, as a service
	// manager does, so that it is lent for good.
	Kept bool `json:"kept,omitempty"`
	// The socket file that this is, of a Unix socket: another one at the path is
	// somebody else's.
	Dev uint64 `json:"dev,omitempty"`
	Ino uint64 `json:"ino,omitempty"`
}

// Hand describes the listener for a process that will have its sockets under the
// numbers that add returns.
func (l *Listener) Hand(add func(fd int) int) Handed {
	h := Handed{Spec: l.spec.String(), Shared: l.shared, Kept: l.kept, Reserved: l.reserves, Dev: l.path.dev, Ino: l.path.ino}
	for _, fd := range l.fds {
		h.FDs = append(h.FDs, add(fd))
	}
	for _, fd := range l.spare {
		h.Spare = append(h.Spare, add(fd))
	}
	return h
}

// Inherit takes over the sockets of another process. The listener is lent: as
// long as it is, its door stays open and its path in place whatever happens to
// it here, because somebody else accepts from it, or will. On an error the
// descriptors are the caller's still.
func Inherit(h Handed) (*Listener, error) {
	spec, err := ParseSpec(h.Spec)
	if err != nil {
		return nil, err
	}
	l := &Listener{spec: spec, shared: h.Shared || spec.Network == Unix, path: fileID{h.Dev, h.Ino}, inherited: true, kept: h.Kept, lent: true}
	if len(h.FDs) == 0 || l.shared && len(h.FDs) > 1 {
		return nil, fmt.Errorf("--listen %s: %d sockets are handed over for it", spec, len(h.FDs))
	}
	for _, fd := range h.FDs {
		if err := l.inherit(fd); err != nil {
			return nil, fmt.Errorf("--listen %s: descriptor %d: %w", spec, fd, err)
		}
	}
	for _, fd := range h.Spare {
		unix.CloseOnExec(fd)
	}
	l.fds = slices.Clone(h.FDs)
	l.spare, l.reserves = slices.Clone(h.Spare), h.Reserved
	return l, nil
}

// inherit looks at one socket. It sets what processes that inherit sockets
// expect of them, and is not lost by exec: nothing but the blocking mode is a
// matter of the description, which all have in common.
func (l *Listener) inherit(fd int) error {
	if !isListening(fd) {
		return ErrNotListening
	}
	addr, err := unix.Getsockname(fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	switch a := addr.(type) {
	case *unix.SockaddrUnix:
		if l.spec.Network != Unix {
			return fmt.Errorf("it is bound to unix:%s", a.Name)
		}
		l.text = a.Name
	default:
		text, _ := describe(addr)
		if l.spec.Network != TCP {
			return fmt.Errorf("it is bound to %s", text)
		}
		l.addr, l.text = addr, text
	}
	unix.CloseOnExec(fd)
	return os.NewSyscallError("fcntl", unix.SetNonblock(fd, true))
}

func isListening(fd int) bool {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_STREAM {
		return false
	}
	listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return err == nil && listening == 1
}

// Lend leaves door and path to another process, which has the sockets, too.
func (l *Listener) Lend() { l.lent = true }

// Own makes a listener that was inherited this process's: its lender has left
// door and path to it. One that is kept stays lent.
func (l *Listener) Own() { l.lent = l.kept }

// Kept reports whether somebody outside of this server keeps the socket.
func (l *Listener) Kept() bool { return l.kept }

// Spec is what the listener was opened for.
func (l *Listener) Spec() Spec { return l.spec }

// Sockets is how many there are.
func (l *Listener) Sockets() int { return len(l.fds) }
