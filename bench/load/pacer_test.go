package load

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestPacer(t *testing.T) {
	t.Parallel()
	cases := []struct {
		rate    float64
		elapsed time.Duration
		reached int64
	}{
		{1000, -time.Second, 0},
		{1000, 0, 1}, // the first is due at the start
		{1000, time.Millisecond - 1, 1},
		{1000, time.Millisecond, 2},
		{1000, time.Hour, 3_600_001},
		{0.5, 3 * time.Second, 2},
		{1e6, time.Second, 1_000_001},
	}
	for _, c := range cases {
		if got := pacer(c.rate).reached(c.elapsed); got != c.reached {
			t.Errorf("%v/s: %d are due by %v, want %d", c.rate, got, c.elapsed, c.reached)
		}
	}
}

// TestPacerAgreesWithItself: reached and due say the same about every request, at
// any rate and after any time, though each rounds on its own.
func TestPacerAgreesWithItself(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		p := pacer(math.Exp(random.Float64() * math.Log(maxRate)))
		n := random.Int64N(1e7)
		if got := p.reached(p.due(n)); got <= n {
			t.Fatalf("%v/s: request %d is due at %v, where %d are reached", float64(p), n, p.due(n), got)
		}
		elapsed := time.Duration(random.Int64N(int64(time.Hour)))
		last := p.reached(elapsed)
		if p.due(last-1) > elapsed || p.due(last) <= elapsed {
			t.Fatalf("%v/s: after %v, %d are reached; due are %v and %v", float64(p), elapsed, last, p.due(last-1), p.due(last))
		}
	}
}

func TestPacerLetsAllGoInOrderAndInTime(t *testing.T) {
	t.Parallel()
	const rate, until = 2000, 100 * time.Millisecond
	r := &run{base: time.Now(), stop: make(chan struct{})}
	r.to.Store(int64(until))
	arrivals := make(chan time.Duration)
	go pacer(rate).arrive(r, arrivals)
	n := int64(0)
	for due := range arrivals {
		if now := r.elapsed(); now < due {
			t.Errorf("request %d let go at %v, due at %v", n, now, due)
		}
		if due != pacer(rate).due(n) {
			t.Errorf("request %d is due at %v, want %v", n, due, pacer(rate).due(n))
		}
		n++
	}
	if n != 200 {
		t.Errorf("%d requests, want 200", n)
	}
}
