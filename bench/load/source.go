package load

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// source says when a request is due. It is read by a connection that has room
// for one.
type source interface {
	// next returns when the next request was due, since the start. An open loop's
	// waits for it if wait is set; false without one now, and after the last one.
	next(wait bool) (time.Duration, bool)
}

// closedLoop has a request whenever a connection has room.
type closedLoop struct{ run *run }

func (c closedLoop) next(bool) (time.Duration, bool) {
	if c.run.phase.Load() >= ending {
		return 0, false
	}
	return c.run.elapsed(), true
}

// openLoop gives what the pacer lets go to whichever connection is free first.
// What has been let go is sent, also after the end: it was due before.
type openLoop struct {
	run      *run
	arrivals <-chan time.Duration
}

func (o openLoop) next(wait bool) (time.Duration, bool) {
	if o.run.phase.Load() == stopped {
		return 0, false
	}
	if wait {
		due, ok := <-o.arrivals
		return due, ok
	}
	select {
	case due, ok := <-o.arrivals:
		return due, ok
	default:
		return 0, false
	}
}

// countdown has so many requests, at once: it is for preparing keys.
type countdown struct {
	run  *run
	left int
}

func (c *countdown) next(bool) (time.Duration, bool) {
	if c.left == 0 || c.run.phase.Load() == stopped {
		return 0, false
	}
	c.left--
	return c.run.elapsed(), true
}

// longestSleep is how late the pacer may learn of the end, or of a stop.
const longestSleep = 10 * time.Millisecond

// maxQueue is how many requests wait for a free connection; when it is full the
// pacer waits, and nothing is lost: when a request is due does not change.
const maxQueue = 1 << 20

// arrive lets go each request when it is due, up to the end of the measured time,
// and closes arrivals. It has a thread of its own, whose sleep ends within
// microseconds; the runtime's timers would be up to a millisecond late in an idle
// process.
func (p pacer) arrive(r *run, arrivals chan<- time.Duration) {
	runtime.LockOSThread() // until its end: the thread's slack is changed
	defer close(arrivals)
	// Without this a sleep is some 50 us longer, and no worse happens.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	// Whatever is due before the end is let go, also by a pacer that is late.
	for n := int64(0); int64(p.due(n)) < r.to.Load() && r.phase.Load() != stopped; {
		for last := p.reached(r.elapsed()); n < last; n++ {
			due := p.due(n)
			if int64(due) >= r.to.Load() {
				return
			}
			select {
			case arrivals <- due:
			case <-r.stop:
				return
			}
		}
		if rest := p.due(n) - r.elapsed(); rest > 0 {
			t := unix.NsecToTimespec(min(rest, longestSleep).Nanoseconds())
			_ = unix.Nanosleep(&t, nil) // ended early by a signal: the loop looks again
		}
	}
}
