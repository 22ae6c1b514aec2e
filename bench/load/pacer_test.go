package load

import (
	"maps"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
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

// TestOpenLoopLetsAllGoInOrderAndInTime: what is due goes once, to whichever loop
// asks, and nothing goes before its time.
func TestOpenLoopLetsAllGoInOrderAndInTime(t *testing.T) {
	t.Parallel()
	const rate, until = 2000, 100 * time.Millisecond
	var r run
	r.to.Store(int64(until))
	o := openLoop{&r, rate, new(atomic.Int64)}
	n, asked := int64(0), 0
	for now := time.Duration(0); ; {
		for {
			due, ok := o.next(now)
			if !ok {
				break
			}
			if due > now || due != o.pacer.due(n) {
				t.Errorf("request %d is due at %v, let go at %v, want %v", n, due, now, o.pacer.due(n))
			}
			n++
		}
		at, more := o.wake(now)
		if !more {
			break
		}
		if at <= now || at > now+longestSleep || at > o.pacer.due(n) {
			t.Fatalf("at %v: wake at %v, and %v is due", now, at, o.pacer.due(n))
		}
		if now = at; asked%3 == 0 { // one that wakes late
			now += time.Millisecond
		}
		asked++
	}
	if n != 200 {
		t.Errorf("%d requests, want 200", n)
	}
}

// TestOpenLoopsShare: of all that is due each is taken by one.
func TestOpenLoopsShare(t *testing.T) {
	t.Parallel()
	var r run
	r.to.Store(int64(time.Second))
	o := openLoop{&r, 100_000, new(atomic.Int64)}
	var all [4]map[time.Duration]bool
	var group sync.WaitGroup
	for i := range all {
		all[i] = map[time.Duration]bool{}
		group.Go(func() {
			for {
				due, ok := o.next(time.Hour)
				if !ok {
					return
				}
				all[i][due] = true
			}
		})
	}
	group.Wait()
	union := map[time.Duration]bool{}
	sum := 0
	for _, one := range all {
		sum += len(one)
		maps.Copy(union, one)
	}
	if sum != 100_000 || len(union) != sum {
		t.Errorf("%d taken, %d different ones", sum, len(union))
	}
}
