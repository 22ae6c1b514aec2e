package shm

import (
	"fmt"
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
	word := &s.slot.requests
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

func BenchmarkAddParallel(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			keys := benchKeys(n)
			s := benchStore(b, keys)
			var start atomic.Int64
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				i := int(start.Add(int64(n/2))) % n
				for pb.Next() {
					if _, err := s.Add(keys[i], 1, 0); err != nil {
						b.Error(err)
						return
					}
					if i++; i == n {
						i = 0
					}
				}
			})
		})
	}
}
