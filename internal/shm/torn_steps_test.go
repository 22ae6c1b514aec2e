//go:build crashpoints

package shm

import (
	"bytes"
	"fmt"
	"testing"
)

// A reader who copies a value out is overtaken by writers, who replace and
// recycle all that he looks at. Wherever they are when he goes on, he ends up
// with the value that he found, or knows that he has not.
//
// He is suspended between two extents; the writers are stopped before each of
// their stores.
func TestCrashPointsTearNoValue(t *testing.T) {
	const extent = maxExtent*unitSize - 8
	for _, size := range []int{8, 24, 200, 2*extent + 100} {
		for suspended := range size/extent + 2 {
			t.Run(fmt.Sprintf("%d bytes, suspended after %d extents", size, suspended), func(t *testing.T) {
				tear(t, size, suspended)
			})
		}
	}
}

func tear(t *testing.T, size, suspended int) {
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 1})
	_, s := attached(t, r)
	key, round := []byte("key"), byte(0)
	put := func(key []byte) {
		round++
		if _, err := s.Put(key, Put{Value: BytesValue(bytes.Repeat([]byte{round}, size))}); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { crashHook = nil })
	refused := 0
	for turn := range 8 {
		crashHook = nil
		put(key)
		want := bytes.Repeat([]byte{round}, size)
		reader := newSlowReader(s, key)
		for range suspended {
			reader.step()
		}
		step := 0
		crashHook = func() {
			step++
			resumed := *reader
			resumed.got = bytes.Clone(reader.got)
			got, ok := resumed.finish()
			if !ok {
				refused++
			} else if !bytes.Equal(got, want) {
				t.Errorf("turn %d, store %d: a torn value passes for whole", turn, step)
			}
		}
		put(key)
		if turn%2 == 1 { // the memory goes to another key
			if err := s.Remove(key, Condition{}); err != nil {
				t.Fatal(err)
			}
			put([]byte("another key"))
		}
		put(key)
		put(key)
	}
	if refused == 0 {
		t.Error("the writers never overtook the reader")
	}
}
