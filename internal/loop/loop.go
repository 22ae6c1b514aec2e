package loop

import (
	"errors"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/socket"
)

// Config is what a loop needs to know: all of it.
type Config struct {
	Limits Limits
	Meters Meters
	// Tick is called each Tick, as long as the loop turns.
	Tick func()
	// Accepted is called for each connection before it is read.
	Accepted func(fd, door int)
	// Short is told that a door has no connections for want of something. It is tried
	// again.
	Short func(door int, err error)
	// Lost is told of a connection that was accepted and could not be kept.
	Lost func(err error)
	// Failed is told that a door cannot be accepted from ever again.
	Failed func(door int, err error)
}

// Loop is an event loop. New makes it, Listen gives it doors, Run is its life.
type Loop struct {
	config Config
	limits struct{ read, write, idle, linger tick }
	epoll  int
	start  time.Time     // all times of connections are since then
	now    time.Duration // when the last wait ended
	turns  uint64

	doors  []*door
	conns  []*Conn // by descriptor
	open   atomic.Int64
	wheel  wheel
	late   bool // the wheel has more to do
	ticked tick // when Config.Tick was called last
	events [256]unix.EpollEvent
	input  []byte
	output []byte
	again  []turn // connections that have something left to do
	before []turn // its other half

	calls    calls
	starving atomic.Int32 // doors
	leaving  bool         // see Leave
	stopped  bool
	done     chan struct{}
}

// turn is one that a connection is to have.
type turn struct {
	c          *Conn
	generation uint32
}

// New makes a loop without doors.
func New(config Config) (*Loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	l := &Loop{
		config: config, epoll: epoll, start: time.Now(),
		input: make([]byte, inputSize), output: make([]byte, 0, 2*outputSize),
		done: make(chan struct{}),
	}
	l.limits.read, l.limits.write = ticks(config.Limits.Read), ticks(config.Limits.Write)
	l.limits.idle, l.limits.linger = ticks(config.Limits.Idle), ticks(config.Limits.Linger)
	if err := l.calls.open(epoll); err != nil {
		return nil, errors.Join(err, unix.Close(epoll))
	}
	return l, nil
}

// Run serves until Stop. It keeps its thread to itself, so that no goroutine waits
// behind it, and it behind none.
func (l *Loop) Run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(l.done)
	for !l.stopped {
		n, called := l.wait(), false
		l.now = time.Since(l.start)
		if now := l.ticks(); now != l.wheel.now {
			l.late = !l.wheel.advance(now, l.expire)
		}
		if now := l.ticks(); now != l.ticked {
			l.ticked = now
			l.look()
			l.config.Tick()
		}
		for i := range l.events[:n] {
			e := &l.events[i]
			switch {
			case uint32(e.Pad) != 0:
				if c := l.conns[e.Fd]; c.generation == uint32(e.Pad) {
					l.ready(c, e.Events)
				}
			case e.Fd == wakeMark:
				called = true
			default:
				l.accept(l.doors[e.Fd])
			}
		}
		l.takeTurns()
		if called {
			l.calls.clear()
			l.calls.run()
		}
	}
	l.calls.close()
	_ = unix.Close(l.epoll)
}

// quietWait is how long the loop waits before it tells the scheduler that it does.
// Under load something comes sooner, and each such announcement costs as much as a
// request's work (package socket). What of this process waits for this loop's
// processor meanwhile has another one, or interrupts the wait by a signal.
const quietWait = time.Millisecond

// wait returns how many events there are.
func (l *Loop) wait() int {
	limit := quietWait
	if len(l.again) > 0 || l.late {
		limit = 0
	}
	n := socket.Wait(l.epoll, l.events[:], int(limit/time.Millisecond))
	if n != 0 || limit == 0 {
		return max(n, 0)
	}
	n, err := unix.EpollWait(l.epoll, l.events[:], int(Tick/time.Millisecond))
	if err != nil { // EINTR
		return 0
	}
	return n
}

// ticks is what the clock shows.
func (l *Loop) ticks() tick { return tick(l.now / Tick) }

// takeTurns gives their turn to the connections that have one now. Those that are
// not done with it then have another after the next events.
func (l *Loop) takeTurns() {
	if len(l.again) == 0 {
		return
	}
	l.again, l.before = l.before[:0], l.again
	for _, t := range l.before {
		if t.c.generation == t.generation {
			t.c.queued = false
			l.take(t.c)
		}
	}
}

func (l *Loop) queue(c *Conn) {
	if !c.queued {
		c.queued = true
		l.again = append(l.again, turn{c, c.generation})
	}
}

// Turns counts the reads. Steps between which it is the same follow each other.
func (l *Loop) Turns() uint64 { return l.turns }

// Open is how many connections the loop has. Any goroutine may ask.
func (l *Loop) Open() int { return int(l.open.Load()) }
