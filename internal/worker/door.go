package worker

import (
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/listen"
)

// door is a listening socket of this worker, whoever accepts from it.
type door struct {
	addr   string
	local  net.Addr
	shared bool // other workers accept from the same queue
	kept   bool // it is not this server's to close

	// control calls f with the descriptor, which stays open until f returns.
	control func(f func(fd uintptr)) error
	// end ends the accepting and closes the descriptor. The master's of the socket
	// stays open.
	end func() error

	conns    *conns
	accepted atomic.Int64 // time of the last connection, in ns since 1970
}

// queueEmpty reports whether no connection waits to be accepted.
func (d *door) queueEmpty() bool {
	p := []unix.PollFd{{Events: unix.POLLIN | unix.POLLRDHUP}}
	ready := 0
	control := d.control(func(fd uintptr) {
		p[0].Fd = int32(fd)
		ready, _ = unix.Poll(p, 0)
	})
	if control != nil || ready <= 0 {
		return true
	}
	if p[0].Revents&unix.POLLRDHUP == 0 {
		return false
	}
	// A Unix socket whose door is closed is readable for good. Nothing enters
	// its queue any more, and whatever was there has been accepted unless
	// Accept is held up.
	return !d.conns.isStarving() && time.Since(time.Unix(0, d.accepted.Load())) >= settle
}

// closeDoor lets no new connection in, for everybody who holds the socket.
func (d *door) closeDoor() error {
	var err error
	if control := d.control(func(fd uintptr) { err = listen.CloseDoor(int(fd)) }); control != nil {
		return control
	}
	return err
}
