package master

import (
	"math"
	"time"
)

// policy tells how long a slot waits for its next worker. Its count of deaths
// decays, so that one a day never adds up.
type policy struct {
	free     float64       // this many recent deaths are answered at once
	halfLife time.Duration // in which the count falls to half without deaths
	first    time.Duration // the wait after the first death that is not free
	ceiling  time.Duration // waits double up to here
}

var (
	// faults are the ends that the program itself is the reason for: the next
	// run is likely to end alike. The count outlives the longest wait, so that a
	// worker that always fails stays at the ceiling.
	faults = policy{free: 3, halfLife: time.Minute, first: 50 * time.Millisecond, ceiling: 5 * time.Second}
	// outside are the ends that somebody else caused, by SIGKILL or by asking
	// a worker to leave. Waiting does not make the next one less likely; it only
	// bounds the processes that a wild killer makes the host start. The ceiling
	// leaves room for the boot within the 60 ms in which a slot serves again.
	outside = policy{free: 20, halfLife: 2 * time.Second, first: 5 * time.Millisecond, ceiling: 40 * time.Millisecond}
)

// history is the deaths of one slot under one policy. The zero value has none.
type history struct {
	count float64 // at the time of last
	last  time.Time
}

// died counts a death and returns the wait before the next start.
func (h *history) died(p policy, now time.Time) time.Duration {
	if h.count > 0 {
		// A clock that went back counts as no time passed.
		gone := max(0, now.Sub(h.last))
		h.count *= math.Exp2(-float64(gone) / float64(p.halfLife))
	}
	h.count++
	h.last = now
	over := h.count - p.free
	if over <= 0 {
		return 0
	}
	wait := float64(p.first) * math.Exp2(over-1)
	return time.Duration(min(wait, float64(p.ceiling)))
}
