package shm

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
)

var benchSizes = []struct {
	name  string
	bytes int
}{{"100B", 100}, {"1KiB", 1 << 10}, {"64KiB", 64 << 10}}

func benchObjects(b *testing.B, size int64, keys [][]byte, bytes int) *Store {
	b.Helper()
	_, s := attached(b, mappedRegion(b, Geometry{Size: size, Slots: 64}))
	for _, k := range keys {
		if _, err := s.Put(k, Put{Value: BytesValue(make([]byte, bytes))}); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

func BenchmarkRead(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(size.name, func(b *testing.B) {
			keys := benchKeys(1000)
			s := benchObjects(b, 256<<20, keys, size.bytes)
			room := make([]byte, 0, size.bytes)
			b.ReportAllocs()
			b.SetBytes(int64(size.bytes))
			for i := 0; b.Loop(); i++ {
				if item, err := s.Read(room, keys[i%len(keys)]); err != nil || len(item.Bytes) != size.bytes {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPut(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(size.name, func(b *testing.B) {
			keys := benchKeys(1000)
			s := benchObjects(b, 256<<20, keys, size.bytes)
			value := make([]byte, size.bytes)
			b.ReportAllocs()
			b.SetBytes(int64(size.bytes))
			for i := 0; b.Loop(); i++ {
				if _, err := s.Put(keys[i%len(keys)], Put{Value: BytesValue(value)}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkByKeys is what a key more costs: nothing but the caches' share, which
// the floor shows, a random word of as much memory as the keys take.
func BenchmarkByKeys(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000, 1_000_000} {
		keys := benchKeys(n)
		s := benchObjects(b, 512<<20, keys, 100)
		order := rand.Perm(n)
		room, value := make([]byte, 0, 100), make([]byte, 100)
		b.Run(fmt.Sprintf("read/keys=%d", n), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if _, err := s.Read(room, keys[order[i%n]]); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("put/keys=%d", n), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if _, err := s.Put(keys[order[i%n]], Put{Value: BytesValue(value)}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("floor/keys=%d", n), func(b *testing.B) {
			// Of each key the bucket, two lines of the entry's page and value,
			// and the key itself: four misses that follow one another.
			const misses = 4
			words := make([]atomic.Uint64, n*32)
			for i := range words {
				words[i].Store(uint64(rand.IntN(n)))
			}
			at := uint64(0)
			for b.Loop() {
				for j := range uint64(misses) {
					at = words[at*32+j*8].Load()
				}
			}
		})
	}
}

// BenchmarkParallel is every processor on keys of its own: compare -cpu 1,2.
func BenchmarkParallel(b *testing.B) {
	const each = 1000
	for _, op := range []string{"read", "put"} {
		b.Run(op, func(b *testing.B) {
			keys := benchKeys(16 * each)
			s := benchObjects(b, 32<<20, keys, 100)
			var next atomic.Int64
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				own := keys[int(next.Add(1)-1)%16*each:][:each]
				room, value := make([]byte, 0, 100), make([]byte, 100)
				for i := 0; pb.Next(); i++ {
					var err error
					if op == "read" {
						_, err = s.Read(room, own[i%each])
					} else {
						_, err = s.Put(own[i%each], Put{Value: BytesValue(value)})
					}
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
