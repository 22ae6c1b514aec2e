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
			floor, at := newMissFloor(b, n), uint64(0)
			for b.Loop() {
				at = floor.next(at)
			}
		})
	}
}

// missFloor is the least that a lookup among n keys reads: one line each of the
// key, its bucket, its entry and its value, where each is known when the one
// before was read, in mapped memory as the region's is.
type missFloor struct {
	n     uint64
	lines [4][]atomic.Uint64
}

func newMissFloor(b *testing.B, n int) missFloor {
	r := mappedRegion(b, Geometry{Size: int64(max(n*len(missFloor{}.lines)*lineSize*3/2, 4*MinSize)), Slots: 1})
	f := missFloor{n: uint64(n)}
	at := r.shards[0].units
	for i := range f.lines {
		f.lines[i] = r.mem.words(at, f.n*wordsPerLine)
		at += f.n * lineSize
	}
	next := rand.Perm(n) // made one cycle, so that no line comes twice in a round
	for i := range n {
		for j := range len(f.lines) - 1 {
			f.word(j, uint64(i)).Store(uint64(i))
		}
		f.word(len(f.lines)-1, uint64(next[i])).Store(uint64(next[(i+1)%n]))
	}
	b.Cleanup(func() {
		for at := r.shards[0].units; at < r.sb.size; at += 8 { // as Check wants to find it
			r.mem.word(at).Store(0)
		}
	})
	return f
}

// word is where the i-th key has its line of a kind: of each kind elsewhere.
func (f *missFloor) word(kind int, i uint64) *atomic.Uint64 {
	return &f.lines[kind][i*[4]uint64{1, 7919, 104_729, 15_485_863}[kind]%f.n*wordsPerLine]
}

func (f *missFloor) next(at uint64) uint64 {
	for kind := range f.lines {
		at = f.word(kind, at).Load()
	}
	return at
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
