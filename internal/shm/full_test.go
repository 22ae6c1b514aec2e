package shm

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"
)

// blob is a value of n bytes that names its key.
func blob(key string, n int) []byte {
	return bytes.Repeat(append([]byte(key), '|'), n/(len(key)+1)+1)[:n]
}

// fillUp puts keys with a prefix until so many in a row were refused, and
// returns those that were taken.
func fillUp(t *testing.T, s *Store, prefix string, size, refusals int) map[string][]byte {
	t.Helper()
	held := map[string][]byte{}
	for i, refused := 0, 0; refused < refusals; i++ {
		key := fmt.Sprintf("%s%06d", prefix, i)
		_, err := s.Put([]byte(key), Put{Value: BytesValue(blob(key, size))})
		switch {
		case err == nil:
			held[key] = blob(key, size)
			refused = 0
		case errors.Is(err, ErrFull):
			refused++
		default:
			t.Fatal(err)
		}
	}
	return held
}

func wantHeld(t *testing.T, s *Store, held map[string][]byte) {
	t.Helper()
	for key, want := range held {
		if item, err := s.Read(nil, []byte(key)); err != nil || !bytes.Equal(item.Bytes, want) {
			t.Fatalf("%s: %.20q (%d bytes), %v; want %.20q (%d bytes)", key, item.Bytes, len(item.Bytes), err, want, len(want))
		}
	}
}

// Many fill a region at once: each write is taken whole or refused with
// ErrFull, and what was refused has changed nothing.
func TestFullFromManyAtOnce(t *testing.T) {
	t.Parallel()
	for _, b := range backings {
		t.Run(b.name, func(t *testing.T) {
			size := int64(4 << 20)
			if testing.Short() {
				size = MinSize
			}
			r := b.make(t, Geometry{Size: size, Slots: 4})
			master, first := attached(t, r)
			stores := []*Store{first, newWorker(t, r, master), newWorker(t, r, master), newWorker(t, r, master)}
			if _, err := first.Set([]byte("counter"), 0); err != nil {
				t.Fatal(err)
			}
			var filling sync.WaitGroup
			held := make([]map[string][]byte, len(stores))
			for i, s := range stores {
				filling.Go(func() { held[i] = fillUp(t, s, fmt.Sprintf("w%d:", i), 300, 300) })
			}
			filling.Wait()
			all := map[string][]byte{}
			for _, h := range held {
				maps.Copy(all, h)
			}
			wantHeld(t, first, all)
			if st := r.Stats(); st.Entries != uint64(len(all))+1 {
				t.Errorf("%d entries, %d were acknowledged", st.Entries, len(all)+1)
			}

			// All of them change what is there: larger is refused and changes
			// nothing, the same size is taken, counters count.
			var changing sync.WaitGroup
			for i, s := range stores {
				changing.Go(func() {
					for key := range held[i] {
						if _, err := s.Put([]byte(key), Put{Value: BytesValue(blob("big", 100<<10))}); !errors.Is(err, ErrFull) {
							t.Errorf("larger by 100 KiB in a full region: %v", err)
						}
						if _, err := s.Put([]byte(key), Put{Value: BytesValue(blob("new"+key, 300))}); err != nil {
							t.Errorf("another value of the same size: %v", err)
						}
						held[i][key] = blob("new"+key, 300)
						if _, err := s.Add([]byte("counter"), 1, 0); err != nil {
							t.Errorf("a counter in a full region: %v", err)
						}
					}
				})
			}
			changing.Wait()
			for _, h := range held {
				maps.Copy(all, h)
			}
			wantHeld(t, first, all)
			if n, err := first.Get([]byte("counter")); err != nil || n != int64(len(all)) {
				t.Errorf("counted %d, %v, want %d", n, err, len(all))
			}

			// Room again after deletes.
			rng, before := rand.New(rand.NewPCG(3, 4)), len(all)
			for key := range all {
				if rng.IntN(2) == 0 {
					if err := first.Remove([]byte(key), Condition{}); err != nil {
						t.Fatal(err)
					}
					delete(all, key)
				}
			}
			again := fillUp(t, first, "again:", 300, 300)
			if len(all)+len(again) < before*95/100 {
				t.Errorf("%d keys fit at first, %d after deletes", before, len(all)+len(again))
			}
			maps.Copy(all, again)
			wantHeld(t, first, all)
		})
	}
}

// What was refused leaves every unit as it was.
func TestRefusedChangesNothing(t *testing.T) {
	t.Parallel()
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 1})
	_, s := attached(t, r)
	held := fillUp(t, s, "k", 700, 200)
	before := r.Stats()
	for i := range 500 {
		key := fmt.Appendf(nil, "%0*d", 1+i%MaxKey, i)
		if _, err := s.Put(key, Put{Value: BytesValue(blob("x", 50_000))}); !errors.Is(err, ErrFull) {
			t.Fatalf("put in a full region: %v", err)
		}
	}
	if after := r.Stats(); after.Used != before.Used || after.Entries != before.Entries {
		t.Errorf("%d bytes in use before, %d after", before.Used, after.Used)
	}
	wantHeld(t, s, held)
}

// The largest value that Stats promises fits, and hardly more does.
func TestLargestValueFits(t *testing.T) {
	t.Parallel()
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 1}) // of one shard
	_, s := attached(t, r)
	rng := rand.New(rand.NewPCG(5, 6))
	for round := range 40 {
		for i := range 60 {
			key := fmt.Appendf(nil, "k%03d", rng.IntN(400))
			if rng.IntN(3) == 0 {
				_ = s.Remove(key, Condition{}) // may be absent
			} else if _, err := s.Put(key, Put{Value: BytesValue(blob("x", rng.IntN(6000)))}); err != nil && !errors.Is(err, ErrFull) {
				t.Fatal(round, i, err)
			}
		}
		st := r.Stats()
		if st.LargestValue != st.LargestValueAnyKey {
			t.Fatalf("one shard, two answers: %+v", st)
		}
		if st.LargestValue == 0 {
			continue
		}
		if _, err := s.Put([]byte("largest"), Put{Value: BytesValue(blob("l", int(st.LargestValue)))}); err != nil {
			t.Fatalf("round %d: %d bytes were promised: %v", round, st.LargestValue, err)
		}
		if err := s.Remove([]byte("largest"), Condition{}); err != nil {
			t.Fatal(err)
		}
		more := int(st.LargestValue) + int(st.LargestValue)/20 + 3*r.shards[0].unitsInReserve()*unitSize
		if _, err := s.Put([]byte("larger"), Put{Value: BytesValue(blob("l", more))}); err == nil {
			t.Fatalf("round %d: %d bytes were said to be the most, %d fit", round, st.LargestValue, more)
		}
	}
}

func (sh *shard) unitsInReserve() int { return int(sh.unitsN / reserveShare) }

// The largest value of an empty region fits, and again in its place; one byte
// more is refused as too large rather than as full.
func TestLargestValueOfAnEmptyShard(t *testing.T) {
	t.Parallel()
	for _, g := range []Geometry{
		{Size: MinSize, Slots: 1},
		{Size: 2300 << 10, Slots: 64},
		{Size: 5 << 20, Slots: 1},
		{Size: 8 << 20, Slots: 1, MaxValue: 3 << 20},
		{Size: 32 << 20, Slots: 2},
		{Size: 33 << 20, Slots: 3},
		{Size: 256 << 20, Slots: 64},
		{Size: 260 << 20, Slots: 1, MaxValue: 60 << 20},
	} {
		r := heapRegion(t, g)
		_, s := attached(t, r)
		s.SetPolicy(Policy{MaxValue: MaxMaxValue})
		most, key := r.Info().LargestValue, blob("k", MaxKey)
		if most < g.MaxValue || g.Size > 2<<20 && most < DefaultMaxValue {
			t.Fatalf("%+v: the largest value is %d", g, most)
		}
		for i := range 3 {
			if _, err := s.Put(key, Put{Value: BytesValue(blob(strconv.Itoa(i), int(most)))}); err != nil {
				t.Errorf("%+v: %d bytes in an empty shard, write %d: %v", g, most, i, err)
			}
		}
		if _, err := s.Put([]byte("k"), Put{Value: BytesValue(make([]byte, most+1))}); !errors.Is(err, ErrValueTooLarge) {
			t.Errorf("%+v: %d bytes: %v", g, most+1, err)
		}
	}
}

// Keys that have expired make room before anything is refused.
func TestExpiredKeysMakeRoom(t *testing.T) {
	t.Parallel()
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 1})
	ms := uint64(1000)
	r.clock = func() uint64 { return ms }
	_, s := attached(t, r)
	n := 0
	for ; ; n++ {
		key := fmt.Appendf(nil, "old%06d", n)
		if _, err := s.Put(key, Put{Value: BytesValue(blob("o", 200)), TTL: time.Second}); errors.Is(err, ErrFull) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Put([]byte("new"), Put{Value: BytesValue(blob("n", 5000))}); !errors.Is(err, ErrFull) {
		t.Fatalf("nothing has expired, and there was room: %v", err)
	}
	ms += 1000
	if _, err := s.Read(nil, []byte("old000000")); !errors.Is(err, ErrNotFound) {
		t.Errorf("a key at its very end: %v", err)
	}
	held := fillUp(t, s, "new", 200, 100)
	if len(held) < n*95/100 {
		t.Errorf("%d keys had room, after they expired %d have", n, len(held))
	}
	if st := r.Stats(); st.Expiries != uint64(n) || st.Expiring != 0 || st.Evictions != 0 {
		t.Errorf("%d keys expired: %+v", n, st)
	}
}

// Units that are free in ones serve values, not entries: new keys may be refused
// with memory free, but whatever is there can still be replaced.
func TestReplaceWithNoLineToSpare(t *testing.T) {
	t.Parallel()
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 1})
	_, s := attached(t, r)
	held := fillUp(t, s, "k", 20, 100) // an extent of one unit each
	odd := false
	for key := range held {
		if odd = !odd; odd {
			if err := s.Remove([]byte(key), Condition{}); err != nil {
				t.Fatal(err)
			}
			delete(held, key)
		}
	}
	for i := 0; ; i++ { // counters take the lines
		if _, err := s.Set(fmt.Appendf(nil, "c%d", i), 1); errors.Is(err, ErrFull) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	st := r.Stats()
	t.Logf("no line to spare with %.1f %% of the units free", 100*float64(st.Free)/float64(st.Used+st.Free))
	if st.LargestValueAnyKey != 0 {
		t.Errorf("no new key has room, and one of %d bytes is promised", st.LargestValueAnyKey)
	}
	for key := range held {
		if _, err := s.Put([]byte(key), Put{Value: BytesValue(blob("!"+key, 20))}); err != nil {
			t.Fatalf("a value of the same size: %v", err)
		}
		held[key] = blob("!"+key, 20)
	}
	wantHeld(t, s, held)
}
