package shm

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func TestCounter(t *testing.T) {
	for _, b := range backings {
		t.Run(b.name, func(t *testing.T) {
			_, s := attached(t, b.make(t, Geometry{Size: MinSize, Slots: 4}))
			key := []byte("count")
			if _, err := s.Get(key); !errors.Is(err, ErrNotFound) {
				t.Fatalf("Get of a missing key: %v", err)
			}
			steps := []struct {
				name string
				do   func() (int64, error)
				want int64
				err  error
			}{
				{"add creates", func() (int64, error) { return s.Add(key, 1, 0) }, 1, nil},
				{"add", func() (int64, error) { return s.Add(key, -5, 0) }, -4, nil},
				{"init only when created", func() (int64, error) { return s.Add(key, 4, 100) }, 0, nil},
				{"widen", func() (int64, error) { return s.Add(key, math.MaxInt64-1, 0) }, math.MaxInt64 - 1, nil},
				{"last one", func() (int64, error) { return s.Add(key, 1, 0) }, math.MaxInt64, nil},
				{"past the end", func() (int64, error) { return s.Add(key, 1, 0) }, 0, ErrOverflow},
				{"unchanged", func() (int64, error) { return s.Get(key) }, math.MaxInt64, nil},
				{"take wide", func() (int64, error) { return s.Take(key) }, math.MaxInt64, nil},
				{"zeroed", func() (int64, error) { return s.Get(key) }, 0, nil},
				{"to the low end", func() (int64, error) { return s.Add(key, math.MinInt64, 0) }, math.MinInt64, nil},
				{"past the low end", func() (int64, error) { return s.Add(key, -1, 0) }, 0, ErrOverflow},
				{"narrow again", func() (int64, error) { return s.Add(key, math.MaxInt64, 0) }, -1, nil},
				{"at the narrow end", func() (int64, error) { return s.Add(key, narrowMax+1, 0) }, narrowMax, nil},
				{"one beyond", func() (int64, error) { return s.Add(key, 1, 0) }, narrowMax + 1, nil},
				{"and back", func() (int64, error) { return s.Add(key, -1, 0) }, narrowMax, nil},
				{"delete", func() (int64, error) { return s.Delete(key) }, narrowMax, nil},
				{"delete again", func() (int64, error) { return s.Delete(key) }, 0, ErrNotFound},
				{"take missing", func() (int64, error) { return s.Take(key) }, 0, ErrNotFound},
				{"create wide", func() (int64, error) { return s.Add(key, 0, math.MinInt64) }, math.MinInt64, nil},
				{"delete wide", func() (int64, error) { return s.Delete(key) }, math.MinInt64, nil},
				{"create past the end", func() (int64, error) { return s.Add(key, 1, math.MaxInt64) }, 0, ErrOverflow},
				{"not created", func() (int64, error) { return s.Get(key) }, 0, ErrNotFound},
			}
			for _, st := range steps {
				if got, err := st.do(); got != st.want || !errors.Is(err, st.err) {
					t.Fatalf("%s: %d, %v; want %d, %v", st.name, got, err, st.want, st.err)
				}
			}
		})
	}
}

func TestKeyLength(t *testing.T) {
	_, s := attached(t, heapRegion(t, Geometry{Size: MinSize, Slots: 1}))
	for _, key := range [][]byte{nil, {}, bytes.Repeat([]byte("k"), MaxKey+1)} {
		for name, do := range map[string]func() error{
			"Add":         func() error { _, err := s.Add(key, 1, 0); return err },
			"Get":         func() error { _, err := s.Get(key); return err },
			"Set":         func() error { _, err := s.Set(key, 1); return err },
			"SetIfAbsent": func() error { _, err := s.SetIfAbsent(key, 1); return err },
			"Take":        func() error { _, err := s.Take(key); return err },
			"Delete":      func() error { _, err := s.Delete(key); return err },
		} {
			if err := do(); !errors.Is(err, ErrKeyLength) {
				t.Errorf("%s with a key of %d bytes: %v", name, len(key), err)
			}
		}
	}
	for n := 1; n <= MaxKey; n++ {
		key := bytes.Repeat([]byte{byte(n)}, n)
		if v, err := s.Add(key, int64(n), 0); v != int64(n) || err != nil {
			t.Fatalf("a key of %d bytes: %d, %v", n, v, err)
		}
	}
	for n := 1; n <= MaxKey; n++ {
		if v, err := s.Get(bytes.Repeat([]byte{byte(n)}, n)); v != int64(n) || err != nil {
			t.Fatalf("a key of %d bytes: %d, %v", n, v, err)
		}
	}
}

// A full region refuses new keys, changes nothing, goes on counting, and has
// room again after deletes.
func TestFull(t *testing.T) {
	_, s := attached(t, heapRegion(t, Geometry{Size: MinSize, Slots: 1}))
	var keys [][]byte
	for i := 0; ; i++ {
		key := []byte{byte(i), byte(i >> 8), byte(i >> 16)}
		if _, err := s.Add(key, int64(i), 0); err != nil {
			if !errors.Is(err, ErrFull) {
				t.Fatal(err)
			}
			if _, err := s.Get(key); !errors.Is(err, ErrNotFound) {
				t.Fatalf("a refused key: %v", err)
			}
			break
		}
		keys = append(keys, key)
	}
	if len(keys) < 10_000 {
		t.Fatalf("full after %d keys", len(keys))
	}
	for i, key := range keys {
		if v, err := s.Add(key, 1, 0); v != int64(i)+1 || err != nil {
			t.Fatalf("key %d of a full region: %d, %v", i, v, err)
		}
	}
	for range 3 {
		for _, key := range keys {
			if _, err := s.Delete(key); err != nil {
				t.Fatal(err)
			}
		}
		for _, i := range rand.Perm(len(keys)) {
			if _, err := s.Set(keys[i], 1); err != nil {
				t.Fatalf("room did not come back: %v", err)
			}
		}
	}
}

// Room that keys of one length gave back serves keys of any other: each length
// fills the region as far as it did when the region was new, and as far again.
func TestRoomMovesBetweenKeyLengths(t *testing.T) {
	t.Parallel()
	_, s := attached(t, heapRegion(t, Geometry{Size: MinSize, Slots: 1}))
	firstFill, rounds := map[int]int{}, 3
	if testing.Short() {
		rounds = 1
	}
	for round := range rounds {
		for _, length := range []int{8, 100, MaxKey, 20, 200, 8} {
			n := 0
			for ; ; n++ {
				if _, err := s.Set(fmt.Appendf(nil, "%0*d", length, n), 1); err != nil {
					if !errors.Is(err, ErrFull) {
						t.Fatal(err)
					}
					break
				}
			}
			if first, ok := firstFill[length]; !ok {
				firstFill[length] = n
			} else if n < first {
				t.Errorf("round %d: %d keys of %d bytes fit, %d did at first", round, n, length, first)
			}
			for i := range n {
				if _, err := s.Delete(fmt.Appendf(nil, "%0*d", length, i)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	t.Logf("keys that fit, by length: %v", firstFill)
}

// What holds bytes is no counter, and stays as it is.
func TestCounterOfBytes(t *testing.T) {
	t.Parallel()
	_, s := attached(t, heapRegion(t, Geometry{Size: MinSize, Slots: 1}))
	key, value := []byte("key"), []byte(`{"a":1}`)
	did, err := s.Put(key, Put{Value: BytesValue(value)})
	if err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func() error{
		"Add":       func() error { _, err := s.Add(key, 1, 0); return err },
		"Increment": func() error { _, _, err := s.Increment(key, 1, 0, 0); return err },
		"Get":       func() error { _, err := s.Get(key); return err },
		"Take":      func() error { _, err := s.Take(key); return err },
		"Delete":    func() error { _, err := s.Delete(key); return err },
	} {
		if err := do(); !errors.Is(err, ErrNotInteger) {
			t.Errorf("%s of bytes: %v", name, err)
		}
	}
	if item, err := s.Read(nil, key); err != nil || !bytes.Equal(item.Bytes, value) || item.Version != did.Version {
		t.Errorf("after all that: %+v, %v", item, err)
	}
}
