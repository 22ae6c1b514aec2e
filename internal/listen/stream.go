package listen

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// What net sets on each connection that it accepts: a dead client is found after some
// two minutes of silence.
const (
	keepAliveIdle     = 15 // seconds of silence before the first question
	keepAliveInterval = 15 // seconds between questions
	keepAliveCount    = 9  // questions without an answer
)

// PrepareStreams sets on a listening socket what its connections are to inherit: small
// replies are sent at once, and dead clients are found. So accepting one costs no
// calls for it. On a Unix socket there is nothing to set.
func PrepareStreams(fd int) error {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || domain == unix.AF_UNIX {
		return os.NewSyscallError("getsockopt", err)
	}
	return os.NewSyscallError("setsockopt", errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, keepAliveIdle),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, keepAliveInterval),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepAliveCount),
	))
}
