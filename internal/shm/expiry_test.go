package shm

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"
)

// ticking is a region whose clock is the caller's.
func ticking(t *testing.T, g Geometry) (r *Region, s *Store, ms *uint64) {
	t.Helper()
	r = heapRegion(t, g)
	ms = new(uint64)
	*ms = 1000
	r.clock = func() uint64 { return *ms }
	_, s = attached(t, r)
	return r, s, ms
}

// A key is there until the millisecond in which its time is up, and in none
// after it, for every operation alike.
func TestExpiryToTheMillisecond(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]Value{
		"narrow": IntegerValue(5), "wide": IntegerValue(narrowMax + 5), "bytes": BytesValue(bytes.Repeat([]byte("v"), 3000)),
	} {
		for op, do := range map[string]func(s *Store, key []byte) error{
			"read":   func(s *Store, key []byte) error { _, err := s.Read(nil, key); return err },
			"set":    func(s *Store, key []byte) error { _, err := s.SetTTL(key, time.Hour, Condition{}); return err },
			"remove": func(s *Store, key []byte) error { return s.Remove(key, Condition{}) },
			"get": func(s *Store, key []byte) error {
				if _, err := s.Get(key); !errors.Is(err, ErrNotInteger) {
					return err
				}
				return nil
			},
			"take": func(s *Store, key []byte) error {
				if _, err := s.Take(key); !errors.Is(err, ErrNotInteger) {
					return err
				}
				return nil
			},
			"put": func(s *Store, key []byte) error {
				did, err := s.Put(key, Put{Value: IntegerValue(1), KeepTTL: true})
				if did.Created {
					return ErrNotFound
				}
				return err
			},
			"put where there is one": func(s *Store, key []byte) error {
				_, err := s.Put(key, Put{Value: IntegerValue(1), If: Condition{Present: true}})
				if errors.Is(err, ErrCondition) {
					return ErrNotFound
				}
				return err
			},
			"put where there is none": func(s *Store, key []byte) error {
				_, err := s.Put(key, Put{Value: IntegerValue(1), If: Condition{Absent: true}})
				if errors.Is(err, ErrCondition) {
					return nil
				}
				return errors.Join(err, ErrNotFound)
			},
			"increment": func(s *Store, key []byte) error {
				_, did, err := s.Increment(key, 1, 0, 0)
				if did.Created {
					return ErrNotFound
				}
				if errors.Is(err, ErrNotInteger) {
					return nil
				}
				return err
			},
			"scan": func(s *Store, key []byte) error {
				if keys, _, err := s.Scan(nil, key, nil, 10); err != nil || len(keys) != 0 {
					return err
				}
				return ErrNotFound
			},
		} {
			t.Run(name+"/"+op, func(t *testing.T) {
				_, s, ms := ticking(t, Geometry{Size: MinSize, Slots: 1})
				key := []byte("key")
				for _, c := range []struct {
					after uint64
					there bool
				}{{0, true}, {19, true}, {20, false}, {21, false}, {1 << 30, false}} {
					began := *ms
					if _, err := s.Put(key, Put{Value: v, TTL: 20 * time.Millisecond}); err != nil {
						t.Fatal(err)
					}
					*ms = began + c.after
					if err := do(s, key); (err == nil) != c.there || err != nil && !errors.Is(err, ErrNotFound) {
						t.Errorf("%d ms into its 20: %v", c.after, err)
					}
					_ = s.Remove(key, Condition{}) // it may have expired
				}
			})
		}
	}
}

// However little time a sweep has, it gets on, and however much there is to
// sweep, it gets no further than its time: it looks at the clock every few
// buckets.
func TestSweepIsBounded(t *testing.T) {
	t.Parallel()
	const keys = 20_000
	r, s, ms := ticking(t, Geometry{Size: 8 << 20, Slots: 1, MaxValue: 3 << 20}) // of one shard
	for i := range keys {
		if _, _, err := s.Increment(fmt.Appendf(nil, "key:%d", i), 1, 0, time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.SweepExpired(time.Hour); n != 0 {
		t.Fatalf("%d keys were swept that have not expired", n)
	}
	*ms += 2000
	total, calls, buckets := 0, 0, len(r.shards[0].buckets)
	for ; total < keys; calls++ {
		n := s.SweepExpired(0)
		// A bucket has 1 key on the average, here; 64 are never four times that.
		if n > 4*sweepStep {
			t.Fatalf("a sweep without time reclaimed %d keys", n)
		}
		if total += n; calls > buckets {
			t.Fatalf("%d sweeps reclaimed %d of %d keys", calls, total, keys)
		}
		if again := s.SweepExpired(time.Hour); again != 0 {
			t.Fatalf("a shard was swept twice within %d ms", sweepPause)
		}
		*ms += sweepPause
	}
	if most := buckets/sweepStep + 2; calls > most {
		t.Errorf("it took %d sweeps, %d get round", calls, most)
	}
	if st := r.Stats(); st.Entries != 0 || st.Used != 0 || st.Expiring != 0 || st.Expiries != keys {
		t.Errorf("after all of them: %+v", st)
	}
}

// What has expired gives its room back without a sweep, to whoever needs it, and
// before anything that lives is evicted.
func TestExpiredGoFirst(t *testing.T) {
	t.Parallel()
	r, s, ms := ticking(t, Geometry{Size: MinSize, Slots: 1})
	s.SetPolicy(Policy{Evict: true})
	living := map[string][]byte{}
	for i := range 400 {
		key := fmt.Sprint("living", i)
		living[key] = blob(key, 200)
		if _, err := s.Put([]byte(key), Put{Value: BytesValue(living[key])}); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for ; r.Stats().Free > 50_000; n++ {
		if _, err := s.Put(fmt.Appendf(nil, "short%d", n), Put{Value: BytesValue(blob("s", 500)), TTL: time.Second}); err != nil {
			t.Fatal(err)
		}
	}
	*ms += 1000
	for i := range n / 2 {
		did, err := s.Put(fmt.Appendf(nil, "new%d", i), Put{Value: BytesValue(blob("n", 500))})
		if err != nil || did.Evicted != 0 {
			t.Fatalf("%d keys were evicted for key %d, %v", did.Evicted, i, err)
		}
	}
	wantHeld(t, s, living)
	if st := r.Stats(); st.Evictions != 0 || st.Expiries != uint64(n) {
		t.Errorf("%d keys had expired: %+v", n, st)
	}
}
