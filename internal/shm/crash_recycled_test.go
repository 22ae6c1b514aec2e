//go:build crashpoints

package shm

import (
	"bytes"
	"testing"
)

// A reader is copying a value out when its key is removed. The next write takes
// the same line and the same units, so that its word is the same: whatever store
// it has come to, the reader finds out.
func TestCrashReaderOfARecycledEntry(t *testing.T) {
	old, next := bytes.Repeat([]byte{1}, 100), bytes.Repeat([]byte{2}, 100)
	for n := 1; ; n++ {
		r, err := NewHeap(crashGeometry)
		if err != nil {
			t.Fatal(err)
		}
		_, s := attached(t, r)
		if _, err := s.Put([]byte("old"), Put{Value: BytesValue(old)}); err != nil {
			t.Fatal(err)
		}
		var k target
		var f found
		k.aim([]byte("old"), s.seed)
		sh := s.shardOf(&k)
		if sh.find(&k, &f) != present {
			t.Fatal("not found")
		}
		if err := s.Remove(k.key, Condition{}); err != nil {
			t.Fatal(err)
		}
		_, died := killAt(n, func() { _, err = s.Put([]byte("next"), Put{Value: BytesValue(next)}) })
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, f.length())
		if sh.copyOut(got, bodyOf(f.word)) && sh.still(&k, &f) && !bytes.Equal(got, old) {
			t.Errorf("with %d stores of the next write done, a reader has %x for the old value", n-1, got[:8])
		}
		if !died {
			return
		}
	}
}
