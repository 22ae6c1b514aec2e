package load

import (
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// server is whom to connect to. It is one loop's: to dial writes to its address.
type server struct {
	family  int
	address unix.Sockaddr
	// reset closes connections with a reset: nothing of them waits in TIME_WAIT, where
	// ports run out at 28,000.
	reset bool
}

func newServer(network, address string, reset bool) (server, error) {
	if network == "unix" {
		return server{family: unix.AF_UNIX, address: &unix.SockaddrUnix{Name: address}}, nil
	}
	to, err := net.ResolveTCPAddr(network, address)
	if err != nil {
		return server{}, err
	}
	if ip := to.IP.To4(); ip != nil {
		return server{unix.AF_INET, &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(ip)}, reset}, nil
	}
	if len(to.IP) != net.IPv6len {
		return server{}, fmt.Errorf("%s names no host", address)
	}
	return server{unix.AF_INET6, &unix.SockaddrInet6{Port: to.Port, Addr: [16]byte(to.IP)}, reset}, nil
}

// dial begins to connect, and does not wait for the other side.
func (s server) dial() (fd int, err error) {
	fd, err = unix.Socket(s.family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	if s.family != unix.AF_UNIX {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if s.reset && err == nil {
		err = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	if err == nil {
		if err = unix.Connect(fd, s.address); err == unix.EINPROGRESS || err == unix.EINTR {
			err = nil
		}
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("connect: %w", err)
	}
	return fd, nil
}

// connected waits until a connection is one, or cannot be.
func connected(fd int, limit time.Duration) error {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	for until := time.Now().Add(limit); ; {
		n, err := unix.Poll(fds, int(time.Until(until).Milliseconds()))
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return fmt.Errorf("poll: %w", err)
		case n == 0:
			return fmt.Errorf("connect: %w", unix.ETIMEDOUT)
		}
		code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 {
			err = unix.Errno(code)
		}
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		return nil
	}
}

// receive and send move what can be moved now, and else return EAGAIN.

func receive(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Read(fd, p)
		if err != unix.EINTR {
			return n, err
		}
	}
}

func send(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Write(fd, p)
		if err != unix.EINTR {
			return n, err
		}
	}
}
