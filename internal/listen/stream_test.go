package listen

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPrepareStreams: a connection that is accepted has what the socket was given.
func TestPrepareStreams(t *testing.T) {
	t.Parallel()
	l, err := Open(Spec{Network: TCP, Addr: "127.0.0.1:0"}, 1, PerSlot)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := PrepareStreams(l.FD(0)); err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial("tcp", l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	p := []unix.PollFd{{Fd: int32(l.FD(0)), Events: unix.POLLIN}}
	if n, err := unix.Poll(p, 20_000); n != 1 {
		t.Fatal("no connection: ", err)
	}
	fd, _, err := unix.Accept4(l.FD(0), unix.SOCK_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for _, o := range []struct{ level, option, want int }{
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, keepAliveIdle},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, keepAliveInterval},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepAliveCount},
	} {
		if got, err := unix.GetsockoptInt(fd, o.level, o.option); got != o.want || err != nil {
			t.Errorf("option %d of level %d is %d, not %d: %v", o.option, o.level, got, o.want, err)
		}
	}
}
