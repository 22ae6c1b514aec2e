package shm

import (
	"bytes"
	"testing"
	"time"
)

// What is done for each request allocates nothing.
func TestHotPathsAllocateNothing(t *testing.T) {
	r := mappedRegion(t, Geometry{Size: 4 << 20, Slots: 1})
	_, s := attached(t, r)
	s.SetPolicy(Policy{Evict: true}) // marks too
	counter, object, long := []byte("counter"), []byte("object"), bytes.Repeat([]byte("k"), 300)
	value, room := make([]byte, 3000), make([]byte, 0, 3000)
	if _, err := s.Set(counter, 1); err != nil {
		t.Fatal(err)
	}
	for _, key := range [][]byte{object, long} {
		if _, err := s.Put(key, Put{Value: BytesValue(value), TTL: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	for name, do := range map[string]func() error{
		"add":            func() error { _, err := s.Add(counter, 1, 0); return err },
		"get":            func() error { _, err := s.Get(counter); return err },
		"take":           func() error { _, err := s.Take(counter); return err },
		"set":            func() error { _, err := s.Set(counter, 7); return err },
		"read":           func() error { _, err := s.Read(room, object); return err },
		"read, long key": func() error { _, err := s.Read(room, long); return err },
		"read a counter": func() error { _, err := s.Read(room, counter); return err },
		"put":            func() error { _, err := s.Put(object, Put{Value: BytesValue(value)}); return err },
		"put, long key":  func() error { _, err := s.Put(long, Put{Value: BytesValue(value[:100])}); return err },
		"change the TTL": func() error { _, err := s.SetTTL(object, time.Minute, Condition{}); return err },
		"sweep":          func() error { s.SweepExpired(time.Millisecond); return nil },
	} {
		if err := do(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n := testing.AllocsPerRun(200, func() { _ = do() }); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
