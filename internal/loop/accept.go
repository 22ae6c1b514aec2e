package loop

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/socket"
)

// Door is a listening socket, non-blocking, which stays its owner's.
type Door struct {
	FD       int
	Shared   bool // other processes accept from the same queue
	Protocol Protocol
}

// door is one in use. It is polled, unless it is starved or ended.
type door struct {
	Door
	protocol Protocol
	number   int
	starved  bool // there is something missing to accept with
	ended    bool
}

const (
	// burst is how many connections are accepted before others have their turn.
	burst = 32
	// wakeMark is the descriptor in the event that calls wait.
	wakeMark = -1
)

// Listen adds a door. Its number is that of those before it. It is called before Run.
func (l *Loop) Listen(d Door) error {
	added := &door{Door: d, protocol: d.Protocol, number: len(l.doors)}
	l.doors = append(l.doors, added)
	if err := l.poll(added); err != nil {
		added.ended = true
		return err
	}
	return nil
}

// poll waits for connections. Of the processes that wait for one of a shared queue,
// one is woken for each.
func (l *Loop) poll(d *door) error {
	e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(d.number)}
	if d.Shared {
		e.Events |= unix.EPOLLEXCLUSIVE
	}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, d.FD, &e))
}

func (l *Loop) unpoll(d *door) { _ = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, d.FD, nil) }

// accept takes connections in, and says so to the kernel where the door was starved and
// is not any longer.
func (l *Loop) accept(d *door) {
	if d.ended {
		return // of this round's events
	}
	most, taken := burst, false
	if d.Shared {
		most = 1
	}
	for range most {
		fd, addr, err := unix.Accept4(d.FD, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err == unix.EAGAIN {
			break
		}
		switch {
		case err == nil:
			taken = true
			if err := l.Add(fd, d.number, socket.AddrOf(addr)); err != nil {
				l.config.Lost(err)
			}
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNABORTED):
		case socket.IsPermanent(err):
			l.end(d)
			l.config.Failed(d.number, os.NewSyscallError("accept4", err))
			return
		default: // EMFILE, ENFILE, ENOBUFS, ENOMEM
			l.starve(d, os.NewSyscallError("accept4", err))
			return
		}
	}
	switch {
	case d.starved:
		l.feed(d)
	case taken && d.Shared:
		// The process that has waited longest is woken, and has waited as long after it
		// has accepted. So the last one to come is the last in the row.
		l.unpoll(d)
		if err := l.poll(d); err != nil {
			l.starve(d, err)
		}
	}
}

// starve takes a door out of the row of those that are woken: somebody else may have
// what this process lacks. It tries again each tick, and when something is given back.
func (l *Loop) starve(d *door, err error) {
	if !d.starved {
		l.unpoll(d)
		d.starved = true
		l.starving.Add(1)
	}
	l.config.Short(d.number, err)
}

func (l *Loop) feed(d *door) {
	if l.poll(d) == nil {
		d.starved = false
		l.starving.Add(-1)
	}
}

// look accepts at doors that may have connections without an event: from a shared
// queue the kernel wakes one process for a connection, and that one may have starved,
// or died, before it took it.
func (l *Loop) look() {
	for _, d := range l.doors {
		if d.Shared || d.starved {
			l.accept(d)
		}
	}
}

// end stops accepting from a door for good.
func (l *Loop) end(d *door) {
	if d.ended {
		return
	}
	d.ended = true
	if d.starved {
		l.starving.Add(-1)
		return
	}
	l.unpoll(d)
}

// Starving reports whether a door waits for something to accept with. Any goroutine
// may ask.
func (l *Loop) Starving() bool { return l.starving.Load() > 0 }

// Freed says that something was given back that doors may wait for: a descriptor. Any
// goroutine may.
func (l *Loop) Freed() {
	if l.Starving() {
		l.Post(l.look)
	}
}
