package loop

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
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
	if err := l.poll(added); err != nil {
		return err
	}
	l.doors = append(l.doors, added)
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

// accept takes connections in.
func (l *Loop) accept(d *door) {
	if d.ended || d.starved {
		return // of this round's events
	}
	most := burst
	if d.Shared {
		most = 1
	}
	for range most {
		fd, addr, err := unix.Accept4(d.FD, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch {
		case err == nil:
			if err := l.add(fd, d, addr); err != nil {
				l.config.Short(d.number, err)
			}
		case err == unix.EAGAIN:
			return
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNABORTED):
		case isPermanent(err):
			l.end(d)
			l.config.Failed(d.number, os.NewSyscallError("accept4", err))
			return
		default: // EMFILE, ENFILE, ENOBUFS, ENOMEM
			l.unpoll(d)
			d.starved = true
			l.starving.Add(1)
			l.config.Short(d.number, os.NewSyscallError("accept4", err))
			return
		}
	}
	if d.Shared {
		// The process that has waited longest is woken, and has waited as long after it
		// has accepted. So the last one to come is the last in the row.
		l.unpoll(d)
		if err := l.poll(d); err != nil {
			d.starved = true
			l.starving.Add(1)
			l.config.Short(d.number, err)
		}
	}
}

// isPermanent tells an unusable socket from a shortage.
func isPermanent(err error) bool {
	for _, e := range []unix.Errno{unix.EBADF, unix.EINVAL, unix.ENOTSOCK, unix.EOPNOTSUPP} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// add takes in a connection that was accepted.
func (l *Loop) add(fd int, d *door, addr unix.Sockaddr) error {
	for fd >= len(l.conns) {
		l.conns = append(l.conns, nil)
	}
	c := l.conns[fd]
	if c == nil {
		c = &Conn{generation: 1}
		l.conns[fd] = c
	}
	e := unix.EpollEvent{Events: connEvents, Fd: int32(fd), Pad: int32(c.generation)}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
		return errors.Join(os.NewSyscallError("epoll_ctl", err), unix.Close(fd))
	}
	c.open(fd, uint16(d.number), l.peerOf(addr), time.Since(l.start))
	l.open.Add(1)
	l.config.Meters.ConnOpened()
	l.settle(c, fresh, l.limits.read)
	if l.config.Accepted != nil {
		l.config.Accepted(fd, d.number)
	}
	return nil
}

func (l *Loop) peerOf(addr unix.Sockaddr) netip.AddrPort {
	switch a := addr.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		addr := netip.AddrFrom16(a.Addr).Unmap()
		if a.ZoneId != 0 {
			addr = addr.WithZone(l.zone(a.ZoneId))
		}
		return netip.AddrPortFrom(addr, uint16(a.Port))
	}
	return netip.AddrPort{}
}

// zone is the name of an interface, as the net package has it. Asking for it takes the
// kernel a while where there are many, so that each is asked for once.
func (l *Loop) zone(index uint32) string {
	name, known := l.zones[index]
	if !known {
		name = strconv.FormatUint(uint64(index), 10)
		if i, err := net.InterfaceByIndex(int(index)); err == nil {
			name = i.Name
		}
		l.zones[index] = name
	}
	return name
}

// feed polls a door again that was starved.
func (l *Loop) feed(d *door) {
	if !d.starved || d.ended || l.poll(d) != nil {
		return
	}
	d.starved = false
	l.starving.Add(-1)
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
		l.calls.post(l.feedAll)
	}
}

func (l *Loop) feedAll() {
	for _, d := range l.doors {
		l.feed(d)
	}
}
