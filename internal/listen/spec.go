// Package listen opens the sockets that the workers accept from and closes
// their door. The master owns every socket until it stops: what waits in
// the queue of a worker that died is accepted by the next one.
//
// Descriptors stay bare numbers here. os.File and net.TCPListener.File clear
// O_NONBLOCK on the description, which all processes share, and accept in a
// running worker would then block.
package listen

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Networks that a Spec can name.
const (
	TCP  = "tcp"
	Unix = "unix"
)

// maxUnixPath is the longest path that fits a socket address with its
// terminating zero, in bytes.
const maxUnixPath = len(unix.RawSockaddrUnix{}.Path) - 1

// Spec is one address to listen on, as the user wrote it.
type Spec struct {
	Network string // TCP or Unix
	Addr    string // host:port, or the path of the socket
}

// ParseSpec reads host:port, [host]:port, :port or unix:/path.
func ParseSpec(s string) (Spec, error) {
	if path, is := strings.CutPrefix(s, "unix:"); is {
		switch {
		case !strings.HasPrefix(path, "/"):
			return Spec{}, fmt.Errorf("listen address %q: the path of a Unix socket must begin with /, as in unix:/run/fondue.sock", s)
		case len(path) > maxUnixPath:
			return Spec{}, fmt.Errorf("listen address %q: the path of a Unix socket has at most %d bytes, this one has %d", s, maxUnixPath, len(path))
		case strings.ContainsRune(path, 0):
			return Spec{}, fmt.Errorf("listen address %q: the path holds a zero byte", s)
		case strings.HasSuffix(path, "/"):
			return Spec{}, fmt.Errorf("listen address %q: the path names a directory; add the name of the socket", s)
		}
		return Spec{Network: Unix, Addr: path}, nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return Spec{}, fmt.Errorf("listen address %q must be host:port, [ipv6]:port or unix:/path", s)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return Spec{}, fmt.Errorf("listen address %q: the port must be a number from 0 to 65535, not %q", s, port)
	} else {
		port = strconv.FormatUint(n, 10)
	}
	return Spec{Network: TCP, Addr: net.JoinHostPort(host, port)}, nil
}

// String returns the address as ParseSpec reads it.
func (s Spec) String() string {
	if s.Network == Unix {
		return "unix:" + s.Addr
	}
	return s.Addr
}

// resolve returns the socket address to bind. A name counts for its first
// address, IPv4 before IPv6; no host at all means every address of both.
func (s Spec) resolve() (addr unix.Sockaddr, family int, err error) {
	tcp, err := net.ResolveTCPAddr("tcp", s.Addr)
	var unresolved *net.DNSError
	if errors.As(err, &unresolved) {
		return nil, 0, fmt.Errorf("--listen %s: the name %q has no address: %s; give an address of this host, or :port for all", s, unresolved.Name, unresolved.Err)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("--listen %s: %w", s, err)
	}
	if ip := tcp.IP.To4(); ip != nil {
		return &unix.SockaddrInet4{Port: tcp.Port, Addr: [4]byte(ip)}, unix.AF_INET, nil
	}
	if tcp.IP == nil && !hasIPv6() {
		return &unix.SockaddrInet4{Port: tcp.Port}, unix.AF_INET, nil
	}
	sa := &unix.SockaddrInet6{Port: tcp.Port}
	if tcp.IP != nil {
		sa.Addr = [16]byte(tcp.IP.To16())
	}
	if tcp.Zone != "" {
		ifi, err := net.InterfaceByName(tcp.Zone)
		if err != nil {
			return nil, 0, fmt.Errorf("--listen %s: no network interface %q", s, tcp.Zone)
		}
		sa.ZoneId = uint32(ifi.Index)
	}
	return sa, unix.AF_INET6, nil
}

// hasIPv6 reports whether a socket can be bound to the unspecified IPv6
// address: the protocol can be compiled out, or switched off by sysctl.
func hasIPv6() bool {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.Bind(fd, &unix.SockaddrInet6{}) == nil
}

// withPort returns the same address with another port.
func withPort(addr unix.Sockaddr, port int) unix.Sockaddr {
	switch a := addr.(type) {
	case *unix.SockaddrInet4:
		return &unix.SockaddrInet4{Port: port, Addr: a.Addr}
	case *unix.SockaddrInet6:
		return &unix.SockaddrInet6{Port: port, Addr: a.Addr, ZoneId: a.ZoneId}
	}
	return addr
}

// parts returns the address without its port, an IPv4 one as such, and the port.
func parts(addr unix.Sockaddr) (netip.Addr, int) {
	switch a := addr.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(a.Addr), a.Port
	case *unix.SockaddrInet6:
		host := netip.AddrFrom16(a.Addr).Unmap()
		if a.ZoneId != 0 {
			host = host.WithZone(strconv.Itoa(int(a.ZoneId)))
		}
		return host, a.Port
	}
	return netip.Addr{}, 0
}

// describe returns host:port of a bound TCP socket. An unspecified IPv6
// address is written without a host, since it stands for IPv4 as well.
func describe(addr unix.Sockaddr) (text string, port int) {
	switch a := addr.(type) {
	case *unix.SockaddrInet4:
		return net.JoinHostPort(net.IP(a.Addr[:]).String(), strconv.Itoa(a.Port)), a.Port
	case *unix.SockaddrInet6:
		host := net.IP(a.Addr[:]).String()
		if a.ZoneId != 0 {
			if ifi, err := net.InterfaceByIndex(int(a.ZoneId)); err == nil {
				host += "%" + ifi.Name
			}
		}
		return net.JoinHostPort(host, strconv.Itoa(a.Port)), a.Port
	}
	return "", 0
}
