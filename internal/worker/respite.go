package worker

import "time"

// lateTick is what a tick counts that came later. Where this process had no CPU for
// longer, or all of the machine stood still, its clients had none either.
const lateTick = 10 * time.Millisecond

// respite is how much of a drain has passed for clients, and what they are given.
type respite struct {
	elapsed time.Duration // since the drain began
	waited  time.Duration // of that, where they could have sent something
	window  time.Duration // of that, what they are given
	latest  time.Duration // since the drain began, when it ends in any case
	given   time.Duration // what a new connection is given from its connect on
	still   time.Duration // standstills of before a hurry
}

func newRespite(p pace) respite {
	return respite{window: p.window, given: p.window, latest: min(4*p.window, (p.window+p.timeout)/2)}
}

// pass counts the time until now.
func (w *respite) pass(elapsed time.Duration) {
	w.waited += min(elapsed-w.elapsed, lateTick)
	w.elapsed = elapsed
}

// hurry leaves as much as the quick pace has.
func (w *respite) hurry() {
	w.window = min(w.window, w.waited+quick.window)
	w.given, w.still = min(w.given, quick.window), w.elapsed-w.waited
	w.latest = min(w.latest, w.elapsed+(quick.window+quick.timeout)/2)
}

func (w *respite) over() bool { return w.waited >= w.window || w.elapsed >= w.latest }

// grace is how long ago a connection must have been made to be left between requests.
func (w *respite) grace() time.Duration {
	return min(w.given+w.elapsed-w.waited-w.still, w.latest)
}
