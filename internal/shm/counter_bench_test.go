package shm

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
)

func benchKeys(n int) [][]byte {
	keys := make([][]byte, n)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "bench:%06d", i)
	}
	return keys
}

func benchStore(b *testing.B, keys [][]byte) *Store {
	b.Helper()
	r := mappedRegion(b, Geometry{Size: 32 << 20, Slots: 64})
	_, s := attached(b, r)
	for _, k := range keys {
		if _, err := s.Set(k, 0); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// BenchmarkAtomicAdd is the floor: the bare add in mapped memory.
func BenchmarkAtomicAdd(b *testing.B) {
	s := benchStore(b, nil)
	word := &s.meters.answers[0][Done]
	b.ReportAllocs()
	for b.Loop() {
		word.Add(1)
	}
}

func BenchmarkAdd(b *testing.B) {
	for _, n := range []int{1, 1000, 100_000} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			keys := benchKeys(n)
			s := benchStore(b, keys)
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Add(keys[i], 1, 0); err != nil {
					b.Fatal(err)
				}
				if i++; i == n {
					i = 0
				}
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	keys := benchKeys(1000)
	s := benchStore(b, keys)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Get(keys[i]); err != nil {
			b.Fatal(err)
		}
		if i++; i == len(keys) {
			i = 0
		}
	}
}

func BenchmarkInsertDelete(b *testing.B) {
	s := benchStore(b, nil)
	key := []byte("bench:churn")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.SetIfAbsent(key, 1); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Delete(key); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAddParallel is two cores on the same keys, each in an order of its
// own. The floors are what the hardware takes to pass the same cache lines
// between the cores: with a bare atomic add, whose misses overlap, and with a
// load and a compare-and-swap, which wait for each other.
func BenchmarkAddParallel(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			keys := benchKeys(n)
			s := benchStore(b, keys)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				order := rand.Perm(n)
				for i := 0; pb.Next(); i = (i + 1) % n {
					if _, err := s.Add(keys[order[i]], 1, 0); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
		b.Run(fmt.Sprintf("swap-floor/keys=%d", n), func(b *testing.B) {
			words := make([][cacheLine / 8]atomic.Uint64, n)
			b.RunParallel(func(pb *testing.PB) {
				order := rand.Perm(n)
				for i := 0; pb.Next(); i = (i + 1) % n {
					w := &words[order[i]][0]
					for v := w.Load(); !w.CompareAndSwap(v, v+1); v = w.Load() {
					}
				}
			})
		})
		b.Run(fmt.Sprintf("floor/keys=%d", n), func(b *testing.B) {
			words := make([][cacheLine / 8]atomic.Uint64, n)
			b.RunParallel(func(pb *testing.PB) {
				order := rand.Perm(n)
				for i := 0; pb.Next(); i = (i + 1) % n {
					words[order[i]][0].Add(1)
				}
			})
		})
	}
}
