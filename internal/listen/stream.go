package listen

import (
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
	for _, o := range [...]struct{ level, option, value int }{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, keepAliveIdle},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, keepAliveInterval},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepAliveCount},
	} {
		// A kind of socket may lack one (MPTCP of some kernels), and is served without.
		_ = unix.SetsockoptInt(fd, o.level, o.option, o.value)
	}
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
}
