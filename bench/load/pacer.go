package load

import "time"

// pacer is a fixed rate of arrivals, requests a second. It is a function of the
// time since the start alone: nothing that the server does moves it.
type pacer float64

// due is when the n-th request is due, from 0, since the start. It is computed
// anew for each, so that no error adds up.
func (p pacer) due(n int64) time.Duration {
	return time.Duration(float64(n) / float64(p) * float64(time.Second))
}

// reached is how many requests are due by the time elapsed: those below n are,
// and n is not.
func (p pacer) reached(elapsed time.Duration) int64 {
	if elapsed < 0 {
		return 0
	}
	n := int64(elapsed.Seconds() * float64(p))
	// The two roundings may differ by a step: due decides.
	for n > 0 && p.due(n-1) > elapsed {
		n--
	}
	for p.due(n) <= elapsed {
		n++
	}
	return n
}
