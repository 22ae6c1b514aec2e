package worker

import (
	"testing"
	"time"
)

// TestRespite: time in which nobody had the CPU is not the clients'.
func TestRespite(t *testing.T) {
	pass := func(w *respite, each time.Duration) (ticks int) {
		for ; !w.over(); ticks++ {
			w.pass(w.elapsed + each)
		}
		return ticks
	}
	long := pace{window: 100 * time.Millisecond, timeout: time.Minute}
	w := newRespite(long)
	if n := pass(&w, drainTick); n != 50 {
		t.Errorf("%d ticks", n)
	}
	w = newRespite(long)
	w.pass(90 * time.Millisecond) // a standstill
	if n := pass(&w, drainTick); n != 45 {
		t.Errorf("%d ticks after one of 90 ms", n)
	}
	w = newRespite(long)
	if n := pass(&w, time.Second); n != 1 {
		t.Errorf("%d ticks of a second", n)
	}
	w = newRespite(pace{window: 100 * time.Millisecond, timeout: 200 * time.Millisecond})
	if pass(&w, 50*time.Millisecond); w.elapsed != 150*time.Millisecond {
		t.Errorf("%v of 200 ms", w.elapsed)
	}
	w = newRespite(pace{window: drainWindow, timeout: time.Minute})
	w.pass(time.Second)
	w.hurry()
	if n := pass(&w, drainTick); n != 50 {
		t.Errorf("%d ticks in a hurry", n)
	}
}
