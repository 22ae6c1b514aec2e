package worker

import "time"

// lateTick is what a tick counts that came later. Where this process had no CPU for
// longer, or all of the machine stood still, its clients had none either.
const lateTick = 10 * time.Millisecond

// respite is how much of a drain has passed for clients.
type respite struct {
	elapsed time.Duration // since the drain began
	waited  time.Duration // of that, where they could have sent something
}

// pass counts the time until now.
func (w *respite) pass(elapsed time.Duration) {
	w.waited += min(elapsed-w.elapsed, lateTick)
	w.elapsed = elapsed
}

// over reports whether the window of a pace is over. It is in any case half way from
// there to the time-out.
func (w *respite) over(p pace) bool {
	return w.waited >= p.window || w.elapsed >= min(4*p.window, (p.window+p.timeout)/2)
}
