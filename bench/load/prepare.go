package load

import "fmt"

// prepare makes every key once, over all connections. Increments that make them
// are acknowledged like all others.
func (r *run) prepare() error {
	l := r.settings.Load
	work := mixer{usual: increment}
	if l.Workload == "get" || l.Workload == "put" {
		work.usual = put
	}
	var saved []choice
	for i, one := range r.loops {
		every := &everyKey{at: i, step: len(r.loops)}
		one.source = &countdown{run: r, left: (l.Keys - i + len(r.loops) - 1) / len(r.loops)}
		for j := range one.all {
			c := &one.all[j]
			saved = append(saved, c.choice)
			c.choice = choice{every, work}
		}
	}
	done := make(chan struct{})
	go func() { // ends with each, which a stop ends
		select {
		case <-r.stop:
			r.phase.Store(stopped)
		case <-done:
		}
	}()
	r.each()
	close(done)
	var failed int64
	var first error
	for _, one := range r.loops {
		for j := range one.all {
			one.all[j].choice, saved = saved[0], saved[1:]
		}
		if failed += one.failed; first == nil {
			first = one.first
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d keys could not be made: %w", failed, l.Keys, first)
	}
	return nil
}

// everyKey is every key once, shared out over the loops. It is one loop's.
type everyKey struct{ at, step int }

func (k *everyKey) next() int {
	key := k.at
	k.at += k.step
	return key
}
