package shm

import (
	"math"
	"reflect"
	"sync"
	"testing"
	"time"
)

// TestBucketOf compares with the plain rule, at every bound and beside it.
func TestBucketOf(t *testing.T) {
	t.Parallel()
	plain := func(took time.Duration) int {
		for i, bound := range LatencyBounds {
			if took <= bound {
				return i
			}
		}
		return len(LatencyBounds)
	}
	times := []time.Duration{math.MinInt64, -1, 0, 1, math.MaxInt64}
	for _, bound := range LatencyBounds {
		times = append(times, bound-1, bound, bound+1)
	}
	for n := range 63 {
		times = append(times, 1<<n-1, 1<<n, 1<<n+1)
	}
	for _, took := range times {
		if got, want := bucketOf(took), plain(took); got != want {
			t.Errorf("%v is in bucket %d, want %d", took, got, want)
		}
	}
	for i := 1; i < len(LatencyBounds); i++ {
		if LatencyBounds[i] <= LatencyBounds[i-1] {
			t.Errorf("bound %v after %v", LatencyBounds[i], LatencyBounds[i-1])
		}
	}
}

// TestMeters: what many goroutines count is all there, and the slot's next process
// goes on with it.
func TestMeters(t *testing.T) {
	t.Parallel()
	for _, b := range backings {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			r := b.make(t, Geometry{Size: MinSize, Slots: 3})
			master, _, err := r.AttachMaster(false)
			if err != nil {
				t.Fatal(err)
			}
			const processes, goroutines, each = 3, 8, 200
			for range processes {
				id, err := master.Claim(1)
				if err != nil {
					t.Fatal(err)
				}
				w, err := r.Attach(id)
				if err != nil {
					t.Fatal(err)
				}
				var all sync.WaitGroup
				for g := range goroutines {
					all.Go(func() {
						for i := range each {
							w.CountAnswer((g*each+i)%MaxKinds, Outcome(i%int(outcomes)), time.Duration(i)*time.Microsecond)
							w.CountReceived(3)
							w.CountSent(5)
							w.CountLookup(i%4 == 0)
						}
						w.ConnOpened()
						w.ConnClosed()
					})
				}
				all.Wait()
				if err := w.Detach(); err != nil {
					t.Fatal(err)
				}
			}
			const n = processes * goroutines * each
			m := r.Meters(1)
			latencies := uint64(0)
			for _, in := range m.Latency {
				latencies += in
			}
			if m.Answers.All() != n || m.Answers.Of(Failed) != n/uint64(outcomes) || latencies != n || m.Received != 3*n || m.Sent != 5*n ||
				m.Hits != n/4 || m.Misses != n*3/4 || m.Accepted != processes*goroutines ||
				time.Duration(m.LatencySum) != processes*goroutines*each*(each-1)/2*time.Microsecond {
				t.Errorf("%+v", m)
			}
			for kind := range m.Answers {
				if m.Answers[kind] == [outcomes]uint64{} {
					t.Errorf("nothing of kind %d", kind)
				}
			}
			if first := r.Meters(0); first != (Meters{}) {
				t.Errorf("a slot that had no process: %+v", first)
			}
			if master.RequestsOf(1) != n {
				t.Errorf("%d requests of the slot", master.RequestsOf(1))
			}
		})
	}
}

// TestNoMeterIsForgotten: each word of a slot's record is read, added and subtracted,
// and taken along by a copy.
func TestNoMeterIsForgotten(t *testing.T) {
	t.Parallel()
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 1})
	attached(t, r)
	words := r.meters(0).words()
	for i, word := range words {
		word.Add(uint64(i + 1))
	}
	// All that there is of 8 bytes in it, but for what fills its last line.
	if n := reflect.TypeFor[Meters]().Size() / 8; uintptr(len(words)) != n {
		t.Errorf("%d words in a record, %d in Meters", len(words), n)
	}
	m := r.Meters(0)
	at := func(m *Meters) (values []uint64) {
		m.each(m, func(mine *uint64, _ uint64) { values = append(values, *mine) })
		return values
	}
	if len(at(&m)) != len(words) {
		t.Fatalf("%d of %d counters are gone through", len(at(&m)), len(words))
	}
	twice := m
	twice.Add(&m)
	back := twice.Since(&m)
	for i, v := range at(&m) {
		if v != uint64(i+1) || at(&twice)[i] != 2*v || at(&back)[i] != v {
			t.Errorf("counter %d is %d, twice it %d, and once less %d", i, v, at(&twice)[i], at(&back)[i])
		}
	}
}

// BenchmarkCountAnswer is what one request adds to its cost by being counted,
// without the reading of the clock.
func BenchmarkCountAnswer(b *testing.B) {
	s := benchStore(b, nil)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.CountReceived(90)
		s.CountAnswer(i%4, Done, time.Duration(i%4096)*time.Microsecond)
		s.CountSent(150)
	}
}

func TestMetersSince(t *testing.T) {
	t.Parallel()
	before := Meters{LatencySum: uint64(time.Second), Accepted: 3, Received: 10, Sent: 20, Hits: 1, Misses: 2}
	before.Answers[2][Failed], before.Latency[7] = 5, 5
	after := before
	after.Add(&before)
	if d := after.Since(&before); d != before {
		t.Errorf("%+v", d)
	}
	if d := before.Since(&after); d != (Meters{}) {
		t.Errorf("back in time: %+v", d)
	}
}
