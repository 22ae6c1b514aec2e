package shm

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"testing"
)

// keyCounts are the sizes of a keyspace that the cost of a key is measured over.
var keyCounts = []int{1000, 10_000, 100_000, 1_000_000, 10_000_000}

// Bytes of a region, and of this process, for each key of keyBenches: half as much
// again as is used, so that no shard is full.
const (
	regionForCounter = 160
	regionForValue   = 400
	processForKey    = 64
)

// keyBench is an operation that is measured over the number of keys.
type keyBench struct {
	name string
	do   func(s *Store, key, room, value []byte) error
}

// BenchmarkCountersByKeys is what one key more costs those that are there: nothing
// but the caches' share, which the floor shows.
func BenchmarkCountersByKeys(b *testing.B) {
	benchByKeys(b, regionForCounter, 3, func(s *Store, key []byte) error { _, err := s.Set(key, 0); return err }, []keyBench{
		{"add", func(s *Store, key, _, _ []byte) error { _, err := s.Add(key, 1, 0); return err }},
		{"get", func(s *Store, key, _, _ []byte) error { _, err := s.Get(key); return err }},
		{"set", func(s *Store, key, _, _ []byte) error { _, err := s.Set(key, 7); return err }},
	})
}

// BenchmarkValuesByKeys is the same with values of 100 bytes.
func BenchmarkValuesByKeys(b *testing.B) {
	value := make([]byte, 100)
	benchByKeys(b, regionForValue, 4, func(s *Store, key []byte) error { _, err := s.Put(key, Put{Value: BytesValue(value)}); return err }, []keyBench{
		{"read", func(s *Store, key, room, _ []byte) error { _, err := s.Read(room, key); return err }},
		{"put", func(s *Store, key, _, value []byte) error {
			_, err := s.Put(key, Put{Value: BytesValue(value)})
			return err
		}},
	})
}

// The regions are in the temporary directory: with TMPDIR=/dev/shm they are in memory,
// as the server's are, and no disk has a part in it.
//
// benchByKeys runs each operation on random keys, and the floor: as many lines of a
// key as a lookup reads, each known when the one before was read.
func benchByKeys(b *testing.B, forKey, lines int, fill func(s *Store, key []byte) error, benches []keyBench) {
	for _, n := range keyCounts {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			need, free := int64(n)*int64(forKey+processForKey+lines*lineSize*3/2), freeMemory(b)
			if need > free/2 {
				b.Skipf("%d MiB are too much beside the %d MiB that this machine has free", need>>20, free>>20)
			}
			keys, order := benchKeys(n), rand.Perm(n)
			_, s := attached(b, mappedRegion(b, Geometry{Size: max(32<<20, int64(n)*int64(forKey)), Slots: 64}))
			for _, k := range keys {
				if err := fill(s, k); err != nil {
					b.Fatal(err)
				}
			}
			room, value := make([]byte, 0, 100), make([]byte, 100)
			for _, bench := range benches {
				b.Run(bench.name, func(b *testing.B) {
					b.ReportAllocs()
					for i := 0; b.Loop(); {
						if err := bench.do(s, keys[order[i]], room, value); err != nil {
							b.Fatal(err)
						}
						if i++; i == n {
							i = 0
						}
					}
				})
			}
			floor, at := newMissFloor(b, n, lines), uint64(0)
			b.Run("floor", func(b *testing.B) {
				for b.Loop() {
					at = floor.next(at)
				}
			})
		})
	}
}

func freeMemory(b *testing.B) int64 {
	b.Helper()
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "MemAvailable:")
	var kib int64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		b.Fatal(err)
	}
	return kib << 10
}

// missFloor is the least that a lookup among n keys reads: one line each of the
// key, its bucket, its entry and, of a value, its bytes, where each is known when
// the one before was read, in mapped memory as the region's is.
type missFloor struct {
	n     uint64
	lines [][]atomic.Uint64
}

func newMissFloor(b *testing.B, n, lines int) missFloor {
	r := mappedRegion(b, Geometry{Size: int64(max(n*lines*lineSize*3/2, 4*MinSize)), Slots: 1})
	f := missFloor{n: uint64(n), lines: make([][]atomic.Uint64, lines)}
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
