package shm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// What is full can still be replaced, whatever came and went before: each small
// value of a region that refuses takes another of its size, and each counter
// becomes bytes and a counter again.
func TestFullStillReplaces(t *testing.T) {
	t.Parallel()
	for name, sizes := range map[string]struct{ before, last func(*rand.Rand) int }{
		"small ones":             {small, small},
		"after large ones":       {large, small},
		"among large ones":       {small, mixed},
		"one unit each":          {one, one},
		"large in what one left": {one, large},
		"of any":                 {mixed, mixed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seeds := uint64(8)
			if testing.Short() {
				seeds = 1
			}
			for seed := range seeds {
				replaceAll(t, rand.New(rand.NewPCG(seed, 1)), sizes.before, sizes.last)
			}
		})
	}
}

func one(rng *rand.Rand) int   { return 1 + rng.IntN(24) }
func small(rng *rand.Rand) int { return 1 + rng.IntN(600) }
func large(rng *rand.Rand) int { return 10_000 + rng.IntN(100_000) }
func mixed(rng *rand.Rand) int { return []func(*rand.Rand) int{one, small, large}[rng.IntN(3)](rng) }

func replaceAll(t *testing.T, rng *rand.Rand, before, last func(*rand.Rand) int) {
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 1})
	_, s := attached(t, r)
	held, next := map[string]int{}, 0
	// More than enough small values that stay, however large the others are.
	const kept = 60
	for i := range kept {
		key := fmt.Sprintf("kept%06d", i)
		held[key] = 1 + i*10
		if _, err := s.Put([]byte(key), Put{Value: BytesValue(blob(key, held[key]))}); err != nil {
			t.Fatal(err)
		}
	}
	fill := func(size func(*rand.Rand) int) {
		for refused := 0; refused < 300; next++ {
			key, n := fmt.Sprintf("key%06d", next), size(rng)
			switch _, err := s.Put([]byte(key), Put{Value: BytesValue(blob(key, n))}); {
			case errors.Is(err, ErrFull):
				refused++
			case err != nil:
				t.Fatal(err)
			default:
				held[key], refused = n, 0
			}
		}
	}
	for range 3 {
		fill(before)
		for key := range held {
			if rng.IntN(3) > 0 && !strings.HasPrefix(key, "kept") {
				if err := s.Remove([]byte(key), Condition{}); err != nil {
					t.Fatal(err)
				}
				delete(held, key)
			}
		}
	}
	fill(last)
	fill(small)
	fill(one)
	// The longer it goes on, the more of the reserve is taken by values that do
	// not lie in one piece any more: there is an end to it.
	const most, times = 1000, 40 // bytes: of a value that is small beside the reserve
	replaced := 0
	for key, n := range held {
		if n > most || replaced == times {
			continue
		}
		if _, err := s.Put([]byte(key), Put{Value: BytesValue(blob("new"+key, n))}); err != nil {
			st := r.Stats()
			t.Fatalf("%d bytes in the place of %d, after %d such, with %d bytes free: %v", n, n, replaced, st.Free, err)
		}
		replaced++
	}
	if replaced < times {
		t.Errorf("%d small values were there to replace", replaced)
	}
}
