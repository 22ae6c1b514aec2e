package shm

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

func locate(t *testing.T, s *Store, key []byte) (at place, f found) {
	t.Helper()
	var k target
	k.aim(key, s.seed)
	at, err := s.shardOf(&k).findLocked(&k, &f)
	if err != nil || f.e == nil {
		t.Fatalf("key %.20q is at %d, %v", key, at, err)
	}
	return at, f
}

// A chain that leads nowhere is reported by reads as well: it is no proof that
// a key is absent.
func TestBrokenChainIsNoAbsence(t *testing.T) {
	r, err := NewHeap(Geometry{Size: MinSize, Slots: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, s := attached(t, r)
	key := []byte("key")
	if _, err := s.Set(key, 1); err != nil {
		t.Fatal(err)
	}
	at, _ := locate(t, s, key)
	r.mem.word(uint64(at)).Add(1 << 40)
	for name, do := range map[string]func() error{
		"Get":  func() error { _, err := s.Get(key); return err },
		"Read": func() error { _, err := s.Read(nil, key); return err },
		"Scan": func() error { _, _, err := s.Scan(nil, nil, nil, 10); return err },
		"Put":  func() error { _, err := s.Put(key, Put{Value: BytesValue(nil)}); return err },
	} {
		if err := do(); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s over a broken chain: %v", name, err)
		}
	}
}

// A swap that comes late, on a line that holds data by now, is refused,
// whatever the data is.
func TestLateSwapOnDataIsRefused(t *testing.T) {
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 1})
	_, s := attached(t, r)
	sh := &r.shards[0]
	// Data of which each word would pass for a counter of this value, if it
	// kept its first bit.
	key := []byte("key")
	if _, err := s.Set(key, -1); err != nil {
		t.Fatal(err)
	}
	_, f := locate(t, s, key)
	like := f.word
	var word [8]byte
	for i := range word {
		word[i] = byte(like >> (8 * i))
	}
	if err := s.Remove(key, Condition{}); err != nil {
		t.Fatal(err)
	}
	// Data everywhere: the largest values until nothing fits.
	held := map[string][]byte{}
	for i := range 2000 {
		name := fmt.Sprintf("data%d", i)
		value := bytes.Repeat(word[:], 1+i%190)
		_, err := s.Put([]byte(name), Put{Value: BytesValue(value)})
		if errors.Is(err, ErrFull) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		held[name] = value
	}
	counters := 0
	for line := range sh.unitsN / lineUnits {
		w := r.mem.word(sh.unitOff(line * lineUnits))
		if w.Load() == like {
			counters++
			if w.CompareAndSwap(like, like+1) {
				t.Fatalf("line %d: a late swap has changed what is there now", line)
			}
		}
	}
	if counters > 0 || len(held) < 500 {
		t.Errorf("%d lines of data pass for the counter; %d values", counters, len(held))
	}
	wantHeld(t, s, held)
}

// Keys that agree in all but one byte are told apart, wherever that is.
func TestKeysThatDifferInOneByte(t *testing.T) {
	_, s := attached(t, heapRegion(t, Geometry{Size: MinSize, Slots: 1}))
	for _, n := range []int{1, 8, 15, 16, 17, 24, 100, MaxKey} {
		key := bytes.Repeat([]byte{0xff}, n)
		for i := range n {
			key[i] = byte(i % 250)
			if _, err := s.Set(key, int64(n*1000+i)); err != nil {
				t.Fatal(err)
			}
			key[i] = 0xff
		}
		for i := range n {
			key[i] = byte(i % 250)
			if v, err := s.Get(key); err != nil || v != int64(n*1000+i) {
				t.Fatalf("key of %d bytes with another one at %d: %d, %v", n, i, v, err)
			}
			key[i] = 0xff
		}
	}
}
