package loop

import (
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPeer: the address of a client is that which the net package tells.
func TestPeer(t *testing.T) {
	t.Parallel()
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Skip(err)
	}
	l := &Loop{zones: make(map[uint32]string)}
	local := netip.MustParseAddr("fe80::1").As16()
	for _, c := range []struct {
		addr unix.Sockaddr
		want string
	}{
		{&unix.SockaddrInet4{Port: 1, Addr: [4]byte{127, 0, 0, 1}}, "127.0.0.1:1"},
		{&unix.SockaddrInet6{Port: 2, Addr: netip.MustParseAddr("::ffff:127.0.0.1").As16()}, "127.0.0.1:2"},
		{&unix.SockaddrInet6{Port: 3, Addr: local, ZoneId: uint32(lo.Index)}, "[fe80::1%lo]:3"},
		{&unix.SockaddrInet6{Port: 3, Addr: local, ZoneId: 1 << 30}, "[fe80::1%1073741824]:3"},
		{&unix.SockaddrUnix{}, "invalid AddrPort"},
	} {
		if got := l.peerOf(c.addr).String(); got != c.want {
			t.Errorf("%+v: %s, want %s", c.addr, got, c.want)
		}
	}
}
