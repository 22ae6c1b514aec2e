package worker

import (
	"net"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/socket"
)

// netAddr is an address as the net package has it.
func netAddr(sa unix.Sockaddr) net.Addr {
	if addr := socket.AddrOf(sa); addr.IsValid() {
		return net.TCPAddrFromAddrPort(addr)
	}
	named := &net.UnixAddr{Net: "unix"}
	if sa, ok := sa.(*unix.SockaddrUnix); ok {
		named.Name = sa.Name
	}
	return named
}

// localAddr is this side of a connection.
func localAddr(fd int) net.Addr {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netAddr(nil) // of a connection that fails at once
	}
	return netAddr(sa)
}

// remoteAddr is the other side of a connection; not valid says that it is local.
func remoteAddr(addr netip.AddrPort) net.Addr {
	if addr.IsValid() {
		return net.TCPAddrFromAddrPort(addr)
	}
	return netAddr(nil)
}
