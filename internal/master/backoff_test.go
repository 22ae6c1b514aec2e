package master

import (
	"testing"
	"time"
)

func TestPolicy(t *testing.T) {
	const ms = time.Millisecond
	plain := policy{free: 2, halfLife: 10 * time.Second, first: 100 * ms, ceiling: time.Second}
	type death struct {
		after       time.Duration // since the death before
		least, most time.Duration // of the wait
	}
	at := func(after, wait time.Duration) death { return death{after, wait, wait} }
	for name, c := range map[string]struct {
		policy policy
		deaths []death
	}{
		"free ones first, then doubling up to the ceiling": {plain, []death{
			at(0, 0), at(0, 0), at(0, 100*ms), at(0, 200*ms), at(0, 400*ms), at(0, 800*ms), at(0, time.Second), at(0, time.Second),
		}},
		"rare ones never add up": {plain, []death{
			at(0, 0), at(time.Minute, 0), at(time.Minute, 0), at(time.Minute, 0), at(time.Minute, 0),
		}},
		"half is forgotten after a half-life": {plain, []death{
			at(0, 0), at(0, 0), at(0, 100*ms), at(0, 200*ms), at(10*time.Second, 100*ms),
		}},
		"a clock that goes back": {plain, []death{
			at(0, 0), at(-time.Hour, 0), at(0, 100*ms),
		}},
		"no overflow": {policy{free: 0, halfLife: time.Hour, first: time.Hour, ceiling: 2 * time.Hour}, []death{
			at(0, time.Hour), at(0, 2*time.Hour), at(0, 2*time.Hour),
		}},
	} {
		var h history
		now := time.Unix(1_000_000, 0)
		for i, d := range c.deaths {
			now = now.Add(d.after)
			if got := h.died(c.policy, now); got < d.least || got > d.most {
				t.Errorf("%s: death %d: wait %v, want %v to %v", name, i+1, got, d.least, d.most)
			}
		}
	}
}

// A worker that fails each time it is started ends at the ceiling and stays.
func TestFaultsStayAtCeiling(t *testing.T) {
	var h history
	now := time.Unix(1_000_000, 0)
	var wait time.Duration
	for range 50 {
		now = now.Add(wait + 20*time.Millisecond)
		wait = h.died(faults, now)
	}
	if wait != faults.ceiling {
		t.Errorf("wait after 50 failures: %v, want %v", wait, faults.ceiling)
	}
}

// Five kills a second of one slot, for minutes, are answered at once, and any
// number of them soon enough.
func TestKillsRestartAtOnce(t *testing.T) {
	var h history
	now := time.Unix(1_000_000, 0)
	for n := range 1000 {
		now = now.Add(200 * time.Millisecond)
		if wait := h.died(outside, now); wait != 0 {
			t.Fatalf("kill %d waits %v", n, wait)
		}
	}
	for range 1000 {
		now = now.Add(5 * time.Millisecond)
		if wait := h.died(outside, now); wait > 40*time.Millisecond {
			t.Fatalf("a kill waits %v", wait)
		}
	}
}
