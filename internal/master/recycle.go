package master

import (
	"math/rand/v2"
	"slices"
	"time"
)

// limits say when a worker has served long enough, whatever leaks in it. It is
// replaced as in a reload: nothing fails for it.
type limits struct {
	requests uint64 // 0: any number
	memory   uint64 // bytes that are its own, without what is shared; 0: any
}

const (
	// jitter is how much longer than the limit a worker may serve, as a share of
	// it: workers that were started together are not replaced together.
	jitter = 4
	// recycleRest is the wait after a successor that failed.
	recycleRest = 30 * time.Second
)

// draw is the number of requests after which one worker is replaced.
func (l limits) draw() uint64 {
	if l.requests == 0 {
		return 0
	}
	return l.requests + rand.Uint64N(l.requests/jitter+1)
}

// recycle has workers replaced that are over a limit.
func (c *crew) recycle(now time.Time) {
	if c.limits == (limits{}) || c.stage != running || now.Before(c.recycleAt) {
		return
	}
	for _, s := range c.seats {
		w := s.worker
		if w == nil || w.phase != serving || s.next != nil {
			continue
		}
		answered, memory := c.board.RequestsOf(w.id.Slot)-w.requests, uint64(0)
		if c.limits.memory > 0 {
			memory = c.procs.memory(w.pid)
		}
		overRequests := w.mostRequests > 0 && answered >= w.mostRequests
		if !overRequests && memory <= c.limits.memory {
			continue
		}
		r := c.replacement
		if r == nil {
			r = &replacement{recycles: true}
			c.replacement = r
		}
		if slices.Contains(r.seats, s) {
			continue
		}
		c.log.Info("worker is replaced, it is over its limit", w.attrs("requests", answered, "memory", memory)...)
		r.seats, r.began = append(r.seats, s), now
	}
	c.replaceNext()
}
