package load

import (
	"sync/atomic"
	"time"
)

// source says when a request is due. All loops of a run share it, or each has its
// own.
type source interface {
	// next returns when the next request was due, since the start; false if none is
	// due now.
	next(now time.Duration) (due time.Duration, ok bool)
	// wake returns when to ask again if next has said false; false when nothing more
	// will come.
	wake(now time.Duration) (at time.Duration, more bool)
}

// closedLoop has a request whenever a connection has room.
type closedLoop struct{ run *run }

func (c closedLoop) next(now time.Duration) (time.Duration, bool) {
	return now, c.run.phase.Load() < ending
}

func (c closedLoop) wake(now time.Duration) (time.Duration, bool) {
	return now, c.run.phase.Load() < ending
}

// openLoop has a request whenever one is due, for whichever connection is free
// first. All that were due before the end are sent, also after it.
type openLoop struct {
	run   *run
	pacer pacer
	taken *atomic.Int64 // how many have been, by all loops
}

func (o openLoop) next(now time.Duration) (time.Duration, bool) {
	for o.run.phase.Load() != stopped {
		n := o.taken.Load()
		due := o.pacer.due(n)
		if due > now || int64(due) >= o.run.to.Load() {
			break
		}
		if o.taken.CompareAndSwap(n, n+1) {
			return due, true
		}
	}
	return 0, false
}

// longestSleep is how late an open loop may learn of the end, or of a stop.
const longestSleep = 10 * time.Millisecond

func (o openLoop) wake(now time.Duration) (time.Duration, bool) {
	due := o.pacer.due(o.taken.Load())
	return min(due, now+longestSleep), int64(due) < o.run.to.Load() && o.run.phase.Load() != stopped
}

// countdown has so many requests, at once: it is for preparing keys. It is one loop's.
type countdown struct {
	run  *run
	left int
}

func (c *countdown) next(now time.Duration) (time.Duration, bool) {
	if c.left == 0 || c.run.phase.Load() == stopped {
		return 0, false
	}
	c.left--
	return now, true
}

func (c *countdown) wake(now time.Duration) (time.Duration, bool) {
	return now, c.left > 0 && c.run.phase.Load() != stopped
}
