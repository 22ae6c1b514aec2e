package shm

import (
	"fmt"
	"testing"
)

// A long key is found behind a short one whose item is the last of the shard:
// there a long key would reach beyond the end.
func TestLongKeyBehindTheLastItem(t *testing.T) {
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 1})
	_, s := attached(t, r)
	sh := &r.shards[0]
	long := func(i int) []byte { return fmt.Appendf(nil, "%0*d", MaxKey, i) }
	if _, err := s.Set(long(0), 0); err != nil { // a slab with room for more
		t.Fatal(err)
	}
	last := sh.items + sh.itemsN - entryClasses[1]
	var short []byte
	for i := 0; ; i++ {
		key := fmt.Appendf(nil, "%d", i)
		if _, err := s.Set(key, 1); err != nil {
			break // full
		}
		if locate(t, s, key).entry == last {
			short = key
		}
	}
	if short == nil {
		t.Fatal("no key is in the last item")
	}
	var k, c target
	k.aim(short, s.seed)
	var behind []byte
	for i := 1; ; i++ {
		behind = long(i)
		if c.aim(behind, s.seed); c.bucket(len(sh.buckets)) == k.bucket(len(sh.buckets)) {
			break
		}
	}
	if _, err := s.Set(behind, 7); err != nil {
		t.Fatal(err)
	}
	// Deleted and set again, the short key is first in the chain, in the one
	// item that is free.
	if _, err := s.Delete(short); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Set(short, 1); err != nil {
		t.Fatal(err)
	}
	if got := locate(t, s, short).entry; got != last {
		t.Fatalf("the short key is at %d, want the last item, %d", got, last)
	}
	if v, err := s.Get(behind); v != 7 || err != nil {
		t.Errorf("the long key behind it: %d, %v", v, err)
	}
}

func locate(t *testing.T, s *Store, key []byte) place {
	t.Helper()
	var k target
	k.aim(key, s.seed)
	p, err := s.shardOf(&k).findLocked(&k)
	if err != nil {
		t.Fatal(err)
	}
	return p
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
	p := locate(t, s, key)
	r.mem.word(p.link).Store(r.mem.word(p.link).Load() + 1<<40)
	if _, err := s.Get(key); err == nil || err == ErrNotFound {
		t.Errorf("Get over a broken chain: %v", err)
	}
}

// Whatever class a slab has had, the first word of each of its lines is a
// counter's word or a dead one, so that an add that comes late changes nothing:
// no key's bytes and no link is ever there.
func TestLinesKeepTheirWords(t *testing.T) {
	for class := uint64(1); class < uint64(len(entryClasses)); class++ {
		if size := classSize(class); size%lineSize != 0 || slabSize/size < 2 {
			t.Errorf("class %d of %d bytes is not made of lines, or has a slab to itself", class, size)
		}
		room := int(keyRoom(class))
		if end := keyWordAt((room-1)/8) + 8; end != int(classSize(class)) {
			t.Errorf("class %d: the key ends at %d of %d", class, end, classSize(class))
		}
		seen := map[int]bool{}
		for i := range room / 8 {
			at := keyWordAt(i)
			if at%lineSize == 0 || seen[at] || at < entryHead {
				t.Errorf("class %d: word %d of the key is at %d", class, i, at)
			}
			seen[at] = true
		}
	}

	r := heapRegion(t, Geometry{Size: MinSize, Slots: 1})
	_, s := attached(t, r)
	generations := map[uint64]uint64{}
	sh := &r.shards[0]
	for _, length := range []int{8, MaxKey, 8, 100, 8} {
		for i := range 500 {
			if _, err := s.Set(fmt.Appendf(nil, "%0*d", length, i), 1); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 500 {
			if _, err := s.Delete(fmt.Appendf(nil, "%0*d", length, i)); err != nil {
				t.Fatal(err)
			}
		}
		for off := sh.items; off < sh.items+sh.header.fresh.Load()*slabSize; off += lineSize {
			w := r.mem.word(off).Load()
			if kindOf(w) != kindDead || genOf(w) < generations[off] {
				t.Fatalf("after keys of %d bytes: the line at %d begins with %#x, its generation was %d", length, off, w, generations[off])
			}
			generations[off] = genOf(w)
		}
	}
}
