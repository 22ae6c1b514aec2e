package worker

import (
	"testing"
	"time"
)

// TestRespite: time in which nobody had the CPU is not the clients'.
func TestRespite(t *testing.T) {
	p := pace{window: 100 * time.Millisecond, timeout: time.Minute}
	pass := func(w *respite, each time.Duration) (ticks int) {
		for ; !w.over(p); ticks++ {
			w.pass(w.elapsed + each)
		}
		return ticks
	}
	var w respite
	if n := pass(&w, drainTick); n != 50 {
		t.Errorf("%d ticks", n)
	}
	w = respite{}
	w.pass(90 * time.Millisecond) // a standstill
	if n := pass(&w, drainTick); n != 45 {
		t.Errorf("%d ticks after one of 90 ms", n)
	}
	w = respite{}
	if n := pass(&w, time.Second); n != 1 {
		t.Errorf("%d ticks of a second", n)
	}
	p.timeout = 200 * time.Millisecond
	w = respite{}
	if pass(&w, 50*time.Millisecond); w.elapsed != 150*time.Millisecond {
		t.Errorf("%v of 200 ms", w.elapsed)
	}
}
