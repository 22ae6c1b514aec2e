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

	w = newRespite(long)
	for range 50 { // a machine that stands still time and again
		w.pass(w.elapsed + time.Second)
	}
	if g := w.grace(); g != w.latest {
		t.Errorf("a new connection has %v, and the drain %v", g, w.latest)
	}
	w = newRespite(pace{window: drainWindow, timeout: time.Minute})
	w.pass(time.Second)
	if g := w.grace(); g != drainWindow+time.Second-lateTick {
		t.Errorf("a new connection has %v after a standstill of a second", g)
	}
	w.hurry()
	if g := w.grace(); g != quick.window {
		t.Errorf("a new connection has %v in a hurry", g)
	}
}
