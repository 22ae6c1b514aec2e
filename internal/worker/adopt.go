package worker

import (
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// adopt serves the connections that wait in the queue of another worker's
// socket, as if they had come to this one, and closes the socket. What it leaves
// there, for want of descriptors, it or another worker is asked for again.
func (s *server) adopt(socket int) {
	defer unix.Close(socket)
	for !s.draining.Load() {
		fd, _, err := unix.Accept4(socket, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ECONNABORTED) {
			continue
		}
		if err != nil {
			return // EAGAIN: the queue is empty
		}
		f := os.NewFile(uintptr(fd), "connection")
		nc, err := net.FileConn(f)
		f.Close()
		if err != nil {
			s.log.Warn("a connection cannot be taken over", "err", err)
			continue
		}
		c := s.conns.add(nc)
		go func() { _ = s.http.ServeConn(c) }() // what ends it is the client's business
	}
}
