package load

import (
	"fmt"
	"time"
)

// prepare makes every key once, over all connections. Increments that make them
// are acknowledged like all others.
func (r *run) prepare() error {
	l := r.settings.Load
	deadline := time.Now().Add(prepareLimit)
	work := mixer{usual: increment}
	if l.Workload == "get" || l.Workload == "put" {
		work.usual = put
	}
	saved := make([]keys, len(r.connections))
	mixers := make([]mixer, len(r.connections))
	for i := range r.connections {
		c := &r.connections[i]
		saved[i], mixers[i] = c.keys, c.mixer
		c.keys, c.mixer = &everyKey{at: i, step: l.Connections}, work
		c.source = &countdown{run: r, left: (l.Keys - i + l.Connections - 1) / l.Connections}
		if i >= l.Keys {
			c.source = &countdown{run: r}
		}
		if err := c.until(deadline); err != nil {
			return err
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
	for i := range r.connections {
		c := &r.connections[i]
		c.keys, c.mixer = saved[i], mixers[i]
		if failed += c.failed; first == nil {
			first = c.first
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d keys could not be made: %w", failed, l.Keys, first)
	}
	return nil
}

// everyKey is every key once, shared out over the connections.
type everyKey struct{ at, step int }

func (k *everyKey) next() int {
	key := k.at
	k.at += k.step
	return key
}
