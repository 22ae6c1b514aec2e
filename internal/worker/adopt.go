package worker

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// adoptWait is how long a queue is empty until its adoption ends.
const adoptWait = 2 * time.Millisecond

// adopt serves the connections that wait in the queue of another worker's
// socket, as if they had come to this one, and closes the socket. What it leaves
// there, for want of descriptors, it or another worker is asked for again.
func (s *server) adopt(socket int) {
	f := os.NewFile(uintptr(socket), "socket of another worker")
	nl, err := net.FileListener(f)
	_ = f.Close() // nl has a duplicate
	if err != nil {
		s.log.Warn("a queue cannot be taken over", "err", err)
		return
	}
	defer nl.Close()
	for s.adoptNext(nl) {
	}
}

// adoptNext takes one connection over. It says whether there may be another.
func (s *server) adoptNext(nl net.Listener) bool {
	s.adopting.Lock()
	defer s.adopting.Unlock()
	limited, ok := nl.(interface{ SetDeadline(time.Time) error })
	if !ok || s.draining.Load() || limited.SetDeadline(time.Now().Add(adoptWait)) != nil {
		return false
	}
	nc, err := nl.Accept()
	if err != nil {
		// A process that had no processor for so long has not looked at all.
		return errors.Is(err, os.ErrDeadlineExceeded) && somebodyWaits(nl)
	}
	c, err := s.conns.add(nc)
	if err != nil {
		s.log.Warn("a connection of another worker's queue is lost", "err", err)
		return true
	}
	go func() { _ = s.http.ServeConn(c) }() // what ends it is the client's business
	return true
}

// somebodyWaits says whether there is a connection to be accepted.
func somebodyWaits(nl net.Listener) bool {
	source, ok := nl.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := source.SyscallConn()
	if err != nil {
		return false
	}
	p := []unix.PollFd{{Events: unix.POLLIN | unix.POLLRDHUP}}
	ready := 0
	err = raw.Control(func(fd uintptr) {
		p[0].Fd = int32(fd)
		ready, _ = unix.Poll(p, 0)
	})
	return err == nil && ready > 0 && p[0].Revents == unix.POLLIN // else its door is closed
}
