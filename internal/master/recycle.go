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
	// recycleRest is the wait after a successor that failed, and how long one
	// serves at least, however large it is.
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
	r := c.replacement
	if c.limits == (limits{}) || c.stage != running || c.heir != nil || now.Before(c.recycleAt) || r != nil && !r.recycles {
		return
	}
	for _, s := range c.seats {
		w := s.worker
		if w == nil || w.phase != serving || s.next != nil || r != nil && slices.Contains(r.todo, w) {
			continue
		}
		answered := c.board.RequestsOf(w.id.Slot) - w.requests
		if over := w.mostRequests > 0 && answered >= w.mostRequests; !over && !c.tooLarge(w, now) {
			continue
		}
		if r == nil {
			r = &replacement{recycles: true, began: now}
			c.replacement = r
		}
		c.log.Info("worker is replaced, it is over its limit", w.attrs("requests", answered)...)
		r.todo = append(r.todo, w)
	}
	c.replaceNext()
}

// tooLarge says whether a worker has grown beyond the limit. One that is soon
// after its start would only be followed by its like.
func (c *crew) tooLarge(w *worker, now time.Time) bool {
	if c.limits.memory == 0 || now.Sub(w.startedAt) < recycleRest {
		return false
	}
	return c.procs.memory(w.pid) > c.limits.memory
}
