package shm

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"
)

// No state of a key has the version of another one, whatever led there: up and
// down, narrow and wide, replaced, deleted and created, expired, evicted.
func TestVersionsNeverComeAgain(t *testing.T) {
	t.Parallel()
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 1})
	ms := uint64(1)
	r.clock = func() uint64 { return ms }
	_, s := attached(t, r)
	key := []byte("key")
	seen := map[Version]string{}
	state := ""
	for round := range 40 {
		for _, do := range []func() error{
			func() error { _, err := s.Add(key, 5, 0); return err },
			func() error { _, err := s.Add(key, -5, 0); return err },
			func() error { _, err := s.Set(key, 5); return err },
			func() error { _, err := s.Set(key, 0); return err },
			func() error { _, err := s.Take(key); return err },
			func() error { _, err := s.Add(key, narrowMax, 0); return err },
			func() error { _, err := s.Add(key, narrowMax, 0); return err },
			func() error { _, err := s.Add(key, -7, 0); return err },
			func() error { _, err := s.Add(key, 7, 0); return err },
			func() error { _, err := s.Set(key, 1<<60); return err },
			func() error { _, err := s.Set(key, 3<<59); return err },
			func() error { _, err := s.Take(key); return err },
			func() error { _, err := s.SetTTL(key, time.Second, Condition{}); return err }, // not a new version
			func() error { _, err := s.Put(key, Put{Value: BytesValue([]byte("x"))}); return err },
			func() error { _, err := s.Put(key, Put{Value: BytesValue([]byte("x"))}); return err },
			func() error { return s.Remove(key, Condition{}) },
			func() error { _, _, err := s.Increment(key, 5, 0, time.Second); return err },
			func() error { ms += 1000; return nil },
			func() error { _, err := s.Add(key, 5, 0); return err },
		} {
			if err := do(); err != nil {
				t.Fatal(err)
			}
			item, err := s.Read(nil, key)
			if errors.Is(err, ErrNotFound) {
				state = "absent"
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			is := fmt.Sprint(item.Integer, item.Int, string(item.Bytes))
			if was, ok := seen[item.Version]; ok && (was != is || state != is) {
				t.Fatalf("round %d: version %+v was of %q, is of %q after %q", round, item.Version, was, is, state)
			}
			seen[item.Version], state = is, is
		}
	}
}

// A counter that only goes up and down has a generation for each way down, and
// another entry before they come round.
func TestGenerationComesRound(t *testing.T) {
	t.Parallel()
	for _, value := range []int64{1, narrowMax + 9} {
		r := heapRegion(t, Geometry{Size: MinSize, Slots: 1})
		_, s := attached(t, r)
		key := []byte("key")
		did, err := s.Put(key, Put{Value: IntegerValue(value), TTL: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		first := did.Version
		// As after half a million ways down.
		var k target
		var f found
		k.aim(key, s.seed)
		if _, err := s.shardOf(&k).findLocked(&k, &f); err != nil {
			t.Fatal(err)
		}
		last := (f.version - 1) & genMask
		if kindOf(f.word) == kindWide {
			f.e.word.Store(wideWord(last))
		} else {
			f.e.word.Store(narrowWord(last, value))
		}
		if _, err := s.Add(key, 3, 0); err != nil {
			t.Fatal(err)
		}
		item, err := s.Read(nil, key)
		if err != nil || item.Version != (Version{first.Entry, uint32(last) + 1, value + 3}) {
			t.Errorf("on the way up: %+v, %v", item, err)
		}
		n, err := s.Add(key, -3, 0)
		if err != nil || n != value {
			t.Fatal(n, err)
		}
		item, err = s.Read(nil, key)
		if err != nil || item.Version.Entry == first.Entry || item.Int != value || item.TTL == 0 {
			t.Errorf("down, in the last generation: %+v, %v; first %+v", item, err, first)
		}
	}
}

// A region that follows another one gives higher versions than it did.
func TestVersionsOfTheNextRegion(t *testing.T) {
	t.Parallel()
	var last Version
	for range 3 {
		_, s := attached(t, heapRegion(t, Geometry{Size: MinSize, Slots: 1}))
		for range 100 {
			did, err := s.Put([]byte("key"), Put{Value: BytesValue(nil)})
			if err != nil {
				t.Fatal(err)
			}
			if did.Version.Entry <= last.Entry {
				t.Fatalf("version %+v after %+v", did.Version, last)
			}
			last = did.Version
		}
	}
}

func TestVersionText(t *testing.T) {
	t.Parallel()
	for text, v := range map[string]Version{
		"1":                        {Entry: 1},
		"ffffffffffffffff":         {Entry: 1<<64 - 1},
		"a-1-0":                    {10, 1, 0},
		"a-80000-ffffffffffffffff": {10, 1 << 19, -1},
	} {
		if got := string(v.Append(nil)); got != text {
			t.Errorf("%+v is %q, want %q", v, got, text)
		}
		if got, ok := ParseVersion([]byte(text)); !ok || got != v {
			t.Errorf("%q is %+v, %v, want %+v", text, got, ok, v)
		}
	}
	for _, bad := range []string{
		"", "0", "-", "01", "A", "g", "1-", "1-1", "1-0-1", "1-1-", "1-1-01", "1--1", "1-1-1-1", "11111111111111111",
		"1-fffffffff-1", " 1", "1 ", "+1", "0x1",
	} {
		if v, ok := ParseVersion([]byte(bad)); ok {
			t.Errorf("%q passes for %+v", bad, v)
		}
	}
}

// What is read is written again as it was.
func FuzzParseVersion(f *testing.F) {
	for _, text := range []string{"1", "a-1-0", "0", "18eaea550aef7032-7f-2a", "1-1-", ""} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if v, ok := ParseVersion(text); ok && !bytes.Equal(v.Append(nil), text) {
			t.Errorf("%q is read as %+v, which is %q", text, v, v.Append(nil))
		}
	})
}
