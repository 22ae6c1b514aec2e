package listen

import (
	"os"

	"golang.org/x/sys/unix"
)

// Reserve binds sockets for so many slots, of which those that Resize has no use
// for yet do not listen: the kernel sends them nothing. After it the process may
// become another user. Then it could bind no more of them, because the sockets of
// a port are one user's, and a port below 1024 is a privilege.
func (l *Listener) Reserve(slots int) error {
	l.reserves = !l.shared
	for !l.shared && len(l.fds)+len(l.spare) < slots {
		fd, err := bindTCP(l.family(), l.addr, true)
		if err != nil {
			return l.failed(err)
		}
		l.spare = append(l.spare, fd)
	}
	return nil
}

// another is the next socket of the address, listening.
func (l *Listener) another() (int, error) {
	last := len(l.spare) - 1
	if last < 0 {
		return openTCP(l.family(), l.addr, true)
	}
	fd := l.spare[last]
	if err := unix.Listen(fd, backlog()); err != nil {
		return -1, os.NewSyscallError("listen", err)
	}
	l.spare = l.spare[:last]
	return fd, nil
}

// release gives up a socket that nobody accepts from any more. One that could not
// be bound again only ends to listen, as shutdown makes a TCP socket do.
func (l *Listener) release(fd int) error {
	if !l.reserves || l.lent { // shutdown is for all who have it
		return os.NewSyscallError("close", unix.Close(fd))
	}
	l.spare = append(l.spare, fd)
	return os.NewSyscallError("shutdown", unix.Shutdown(fd, unix.SHUT_RD))
}

func (l *Listener) family() int {
	if _, is := l.addr.(*unix.SockaddrInet4); is {
		return unix.AF_INET
	}
	return unix.AF_INET6
}
