package shm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// inBucket makes n keys of the first shard's bucket.
func inBucket(r *Region, seed, bucket uint64, n int) (keys [][]byte) {
	for i := 0; len(keys) < n; i++ {
		var k target
		key := fmt.Appendf(nil, "key:%d", i)
		if k.aim(key, seed); k.hash>>r.shift == 0 && k.bucket(len(r.shards[0].buckets)) == bucket {
			keys = append(keys, key)
		}
	}
	return keys
}

// A key that stays is found, and one that never came is not, while the entries
// before it in its chain are removed and their lines taken for entries of
// another chain: whoever was stopped at one of them goes on in the wrong one.
func TestLookupsAmongRecycledLines(t *testing.T) {
	t.Parallel()
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 4})
	master, first := attached(t, r)
	here, there := inBucket(r, first.seed, 1, 6), inBucket(r, first.seed, 2, 6)
	stays, never := here[0], here[5]
	if _, err := first.Set(stays, 7); err != nil { // first, so it is the last of the chain
		t.Fatal(err)
	}
	lookups := 3_000_000
	if testing.Short() {
		lookups = 200_000
	}
	var stop atomic.Bool
	var writing, reading sync.WaitGroup
	for i, s := range []*Store{first, newWorker(t, r, master)} {
		writing.Go(func() {
			for rng := rand.New(rand.NewPCG(1, uint64(i))); !stop.Load(); {
				key := here[1:5][rng.IntN(4)]
				if rng.IntN(2) == 0 {
					key = there[rng.IntN(len(there))]
				}
				if rng.IntN(2) == 0 {
					_ = s.Remove(key, Condition{}) // it may be absent
				} else if _, err := s.Set(key, 9); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 3 {
		reading.Go(func() {
			for range lookups / 3 {
				if v, err := master.Get(stays); v != 7 || err != nil {
					t.Errorf("the key that stays: %d, %v", v, err)
					return
				}
				if v, err := master.Get(never); !errors.Is(err, ErrNotFound) {
					t.Errorf("a key that never was: %d, %v", v, err)
					return
				}
			}
		})
	}
	reading.Wait()
	stop.Store(true)
	writing.Wait()
}
