package shm

import (
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

// BenchmarkRead and BenchmarkPut are over 1,000 keys in a region of the default
// size, or of four times what they take.
func BenchmarkRead(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(size.name, func(b *testing.B) {
			keys := benchKeys(1000)
			s := benchObjects(b, max(32<<20, int64(4*len(keys)*size.bytes)), keys, size.bytes)
			room := make([]byte, 0, size.bytes)
			b.ReportAllocs()
			b.SetBytes(int64(size.bytes))
			for i := 0; b.Loop(); {
				if item, err := s.Read(room, keys[i]); err != nil || len(item.Bytes) != size.bytes {
					b.Fatal(err)
				}
				if i++; i == len(keys) {
					i = 0
				}
			}
		})
	}
}

func BenchmarkPut(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(size.name, func(b *testing.B) {
			keys := benchKeys(1000)
			s := benchObjects(b, max(32<<20, int64(4*len(keys)*size.bytes)), keys, size.bytes)
			value := make([]byte, size.bytes)
			b.ReportAllocs()
			b.SetBytes(int64(size.bytes))
			for i := 0; b.Loop(); {
				if _, err := s.Put(keys[i], Put{Value: BytesValue(value)}); err != nil {
					b.Fatal(err)
				}
				if i++; i == len(keys) {
					i = 0
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
