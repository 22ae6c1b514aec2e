package shm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
)

// tied makes n keys of one 64-bit hash that begin alike: after a word of their
// own comes one that takes away again what that did.
func tied(t *testing.T, seed uint64, begin []byte, n int) (keys [][]byte) {
	t.Helper()
	var want uint64
	for i := range n {
		state, own := seed^mulC, uint64(i)*mulC
		for at := 0; at < len(begin); at += 8 {
			state = fold(state^binary.LittleEndian.Uint64(begin[at:]), mulA)
		}
		key := binary.LittleEndian.AppendUint64(bytes.Clone(begin), own)
		key = binary.LittleEndian.AppendUint64(key, fold(state^own, mulA)^mulB)
		hash, _ := hashKey(key, seed)
		if i == 0 {
			want = hash
		}
		if hash != want {
			t.Fatalf("the keys %x and %x are not tied", keys[0], key)
		}
		keys = append(keys, key)
	}
	return keys
}

// Keys of one hash are keys of their own: a page that ends at one of them has
// all of them, and each is told once.
func TestKeysOfOneHash(t *testing.T) {
	t.Parallel()
	r := heapRegion(t, Geometry{Size: 4 << 20, Slots: 1})
	_, s := attached(t, r)
	keys := tied(t, s.seed, nil, 5)
	for i, key := range keys {
		if _, err := s.Put(key, Put{Value: IntegerValue(int64(i))}); err != nil {
			t.Fatal(err)
		}
	}
	// Others around them, some of the same bucket.
	var k, c target
	k.aim(keys[0], s.seed)
	others := 0
	for i := 0; others < 200; i++ {
		key := fmt.Appendf(nil, "other%d", i)
		c.aim(key, s.seed)
		near := s.shardOf(&c) == s.shardOf(&k) && c.bucket(len(r.shards[0].buckets)) == k.bucket(len(r.shards[0].buckets))
		if i < 190 || near {
			others++
			if _, err := s.Set(key, 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	for limit := 1; limit < 12; limit++ {
		seen := map[string]bool{}
		var cursor []byte
		for {
			page, next, err := s.Scan(nil, nil, cursor, limit)
			if err != nil || len(page) > limit+len(keys)-1 {
				t.Fatalf("%d keys on a page of %d, %v", len(page), limit, err)
			}
			for _, key := range page {
				if seen[string(key.Key)] {
					t.Fatalf("limit %d: %x is told twice", limit, key.Key)
				}
				seen[string(key.Key)] = true
			}
			if cursor = next; next == nil {
				break
			}
		}
		if len(seen) != others+len(keys) {
			t.Errorf("limit %d: %d keys are told, there are %d", limit, len(seen), others+len(keys))
		}
	}
	for i, key := range keys {
		if v, err := s.Get(key); v != int64(i) || err != nil {
			t.Errorf("key %d of one hash: %d, %v", i, v, err)
		}
		if err := s.Remove(key, Condition{}); err != nil {
			t.Error(err)
		}
		if _, err := s.Get(key); !errors.Is(err, ErrNotFound) {
			t.Errorf("key %d of one hash, removed: %v", i, err)
		}
	}
}

// Long keys of one hash that agree in what an entry has of them are told apart
// by the rest.
func TestLongKeysOfOneHash(t *testing.T) {
	t.Parallel()
	_, s := attached(t, heapRegion(t, Geometry{Size: MinSize, Slots: 1}))
	keys := tied(t, s.seed, bytes.Repeat([]byte{0xf7}, 48), 4)
	for i, key := range keys[1:] {
		if did, err := s.Put(key, Put{Value: IntegerValue(int64(i))}); err != nil || !did.Created {
			t.Fatalf("key %d: %+v, %v", i, did, err)
		}
	}
	if v, err := s.Get(keys[0]); !errors.Is(err, ErrNotFound) {
		t.Errorf("a key that is not there: %d, %v", v, err)
	}
	for i, key := range keys[1:] {
		if v, err := s.Get(key); v != int64(i) || err != nil {
			t.Errorf("key %d: %d, %v", i, v, err)
		}
		if n, err := s.Delete(key); n != int64(i) || err != nil {
			t.Errorf("delete key %d: %d, %v", i, n, err)
		}
	}
}

// FuzzScanCursor goes on at any place, and at what is none: there is an error, or
// a walk that ends, of keys that have the prefix.
func FuzzScanCursor(f *testing.F) {
	f.Add([]byte(nil), uint64(0), uint64(0), "key:", 3)
	f.Add([]byte(nil), uint64(3|cursorWithin), uint64(1<<63), "", 1)
	f.Add([]byte(nil), uint64(1<<40), uint64(0), "", 1)
	f.Add([]byte("0123456789abcdef0123456789ABCDEF"), uint64(0), uint64(0), "", 1)
	f.Add([]byte("00"), uint64(0), uint64(0), "", 1)
	r, err := NewHeap(Geometry{Size: MinSize, Slots: 4})
	if err != nil {
		f.Fatal(err)
	}
	populate(f, r)
	s := newStore(r, ID{Slot: 0}, nil)
	f.Fuzz(func(t *testing.T, cursor []byte, bucket, hash uint64, prefix string, limit int) {
		if len(cursor) == 0 {
			cursor = s.appendCursor(nil, position{bucket: bucket &^ cursorWithin, within: bucket&cursorWithin != 0, hash: hash})
		}
		limit = 1 + limit&0xff
		for pages := 0; cursor != nil; pages++ {
			keys, next, err := s.Scan(nil, []byte(prefix), cursor, limit)
			if err != nil {
				if !errors.Is(err, ErrCursor) || pages > 0 || len(keys) > 0 {
					t.Fatalf("page %d at %q: %d keys, %v", pages, cursor, len(keys), err)
				}
				return
			}
			for _, k := range keys {
				if !bytes.HasPrefix(k.Key, []byte(prefix)) {
					t.Fatalf("prefix %q: %q", prefix, k.Key)
				}
			}
			if len(keys) > limit || pages > populatedKeys {
				t.Fatalf("%d keys on page %d of %d each", len(keys), pages, limit)
			}
			cursor = next
		}
	})
}
