package worker

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/listen"
	"github.com/fondue-server/fondue/internal/socket"
)

// adoptWait is how long a queue is empty until its adoption ends, in milliseconds.
const adoptWait = 2

// adopt serves the connections that wait in the queue of another worker's
// socket, as if they had come to this one, and closes the socket. What it leaves
// there, for want of descriptors, it or another worker is asked for again.
func (s *server) adopt(queue int) {
	defer unix.Close(queue)
	for s.adoptNext(queue) {
	}
}

// adoptNext takes one connection over. It says whether there may be another.
func (s *server) adoptNext(queue int) bool {
	ready := []unix.PollFd{{Fd: int32(queue), Events: unix.POLLIN}}
	n, err := unix.Poll(ready, adoptWait)
	if err != nil || n == 0 {
		return errors.Is(err, unix.EINTR)
	}
	s.moving.Lock()
	defer s.moving.Unlock()
	if s.draining.Load() {
		return false
	}
	fd, peer, err := unix.Accept4(queue, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	switch {
	case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNABORTED):
		return true
	case err != nil: // empty, or a shortage
		return false
	}
	// The socket may be one that nobody has prepared. A connection without these
	// options is served all the same.
	_ = listen.PrepareStreams(fd)
	s.welcome(fd, peer)
	return true
}

// welcome serves a connection that was accepted outside of a listener.
func (s *server) welcome(fd int, peer unix.Sockaddr) {
	if s.lane != nil {
		s.lane.welcome(fd, peer)
		return
	}
	s.store.ConnOpened()
	s.serveHanded(handed{fd: fd, local: localAddr(fd), remote: remoteAddr(socket.AddrOf(peer)), accepted: time.Now()})
}
