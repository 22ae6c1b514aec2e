package shm

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// stamped is a value of n words that all say the same.
func stamped(stamp uint64, n int) []byte {
	return bytes.Repeat(binary.LittleEndian.AppendUint64(nil, stamp), n)
}

// Readers among writers get whole values alone: of several extents, in memory
// that is recycled as fast as it can be, between two keys and among counters.
func TestReadersGetWholeValues(t *testing.T) {
	t.Parallel()
	for _, b := range backings {
		t.Run(b.name, func(t *testing.T) {
			r := b.make(t, Geometry{Size: 2 << 20, Slots: 4})
			master, first := attached(t, r)
			stores := []*Store{first, newWorker(t, r, master), newWorker(t, r, master), newWorker(t, r, master)}
			keys := [][]byte{[]byte("key"), bytes.Repeat([]byte("k"), 300)}
			for _, key := range keys { // from here on they are there
				if _, err := first.Set(key, 1); err != nil {
					t.Fatal(err)
				}
			}
			var stop atomic.Bool
			var running sync.WaitGroup
			var stamp, written, reads atomic.Uint64
			for i, s := range stores {
				running.Go(func() {
					rng := rand.New(rand.NewPCG(1, uint64(i)))
					for !stop.Load() {
						key := keys[rng.IntN(len(keys))]
						if i%2 == 0 {
							v := BytesValue(stamped(stamp.Add(1)<<40|narrowBit, 1+rng.IntN(800)))
							if rng.IntN(8) == 0 {
								v = IntegerValue(1)
							}
							if _, err := s.Put(key, Put{Value: v}); err != nil {
								t.Error(err)
							}
							written.Add(1)
							continue
						}
						it, err := s.Read(nil, key)
						if err != nil {
							t.Errorf("a key that is replaced all the time: %v", err)
							stop.Store(true)
							return
						}
						reads.Add(1)
						if n := len(it.Bytes); n > 0 && !bytes.Equal(it.Bytes, bytes.Repeat(it.Bytes[:8], n/8)) || it.Integer && it.Int != 1 {
							t.Errorf("a torn value: %d, %q", it.Int, it.Bytes)
							stop.Store(true)
						}
					}
				})
			}
			enough := uint64(20_000)
			if testing.Short() {
				enough = 2000
			}
			await(t, "values to be written and read", func() bool {
				return stop.Load() || written.Load() >= enough && reads.Load() >= enough
			})
			stop.Store(true)
			running.Wait()
		})
	}
}

// A reader who is suspended between two extents goes on with the value that he
// found, or knows that he has not: whatever became of the memory meanwhile.
func TestSuspendedReaderIsNotFooled(t *testing.T) {
	t.Parallel()
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 1})
	_, s := attached(t, r)
	rng := rand.New(rand.NewPCG(3, 4))
	keys := make([][]byte, 5)
	for i := range keys {
		keys[i] = bytes.Repeat([]byte{byte('a' + i)}, 1+i*20)
	}
	value := func() []byte { return stamped(rng.Uint64()|narrowBit, 1+rng.IntN(1500)) }
	kept, refused, rounds := 0, 0, 3000
	if testing.Short() {
		rounds = 500
	}
	for range rounds {
		key := keys[rng.IntN(len(keys))]
		want := value()
		if _, err := s.Put(key, Put{Value: BytesValue(want)}); err != nil {
			t.Fatal(err)
		}
		reader := newSlowReader(s, key)
		for range rng.IntN(len(want)/1528 + 2) {
			reader.step()
		}
		for range rng.IntN(8) {
			other := keys[rng.IntN(len(keys))]
			var err error
			switch rng.IntN(4) {
			case 0:
				_ = s.Remove(other, Condition{}) // it may be absent
			case 1:
				_, err = s.Set(other, rng.Int64())
			default:
				_, err = s.Put(other, Put{Value: BytesValue(value())})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		switch got, ok := reader.finish(); {
		case !ok:
			refused++
		case !bytes.Equal(got, want):
			t.Fatalf("a torn value of %d bytes passes for whole", len(want))
		default:
			kept++
		}
	}
	if kept == 0 || refused == 0 {
		t.Errorf("%d values were whole, %d refused: this run proves nothing", kept, refused)
	}
}

// A reader is copying a value out when its key is removed. The first unit of the
// entry's line becomes the end of a value that has, just there, the bytes of the
// entry's word; its second unit, with the version, stays free; and the value's
// unit becomes another's. The reader believes in what he copies then.
func TestReaderOfALineThatBecameData(t *testing.T) {
	t.Parallel()
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 2})
	_, s := attached(t, r)
	sh := &r.shards[0]
	r.setHands(0) // lines from the end
	last := uint64(len(sh.bitmap)) - 1
	put := func(key string, value []byte) {
		if _, err := s.Put([]byte(key), Put{Value: BytesValue(value)}); err != nil {
			t.Fatal(err)
		}
	}
	put("first", nil)
	put("old", bytes.Repeat([]byte{1}, 24))
	var k target
	var f found
	k.aim([]byte("old"), s.seed)
	if sh.find(&k, &f) != present {
		t.Fatal("not found")
	}
	if err := s.Remove(k.key, Condition{}); err != nil {
		t.Fatal(err)
	}
	// Units of the last word of the bitmap up to the first one of the line.
	unit := (f.off - sh.units) / unitSize
	n := unit - last*64 + 1
	size := int(n-maxExtent)*unitSize - 8 + maxExtent*unitSize - 8
	value := make([]byte, size)
	binary.LittleEndian.PutUint64(value[size-unitSize:], f.word)
	sh.hands.line = 5
	sh.hands.unit = last
	put("data", value)
	sh.hands.unit = 0
	put("next", bytes.Repeat([]byte{2}, 24))
	got := make([]byte, f.length())
	if sh.copyOut(got, bodyOf(f.word)) && sh.still(&k, &f) && !bytes.Equal(got, bytes.Repeat([]byte{1}, 24)) {
		t.Errorf("a reader has %x for the old value", got)
	}
}
