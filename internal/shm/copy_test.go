package shm

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"
)

// TestCopyTo: a copy holds what the original does, of every kind, and goes on
// counting.
func TestCopyTo(t *testing.T) {
	t.Parallel()
	for _, b := range backings {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			from, to := b.make(t, Geometry{Size: 8 << 20, Slots: 4}), b.make(t, Geometry{Size: 24 << 20, Slots: 2})
			_, s := attached(t, from)
			all := map[string]Put{
				"lowest":          {Value: IntegerValue(math.MinInt64)},
				"wide":            {Value: IntegerValue(1 << 60)},
				"expires":         {Value: IntegerValue(-7), TTL: time.Hour},
				"nothing":         {Value: BytesValue(nil)},
				"\xff\x00 binary": {Value: BytesValue([]byte("\x00\xff")), TTL: 90 * time.Minute},
				"large":           {Value: BytesValue(blob("large", 1<<20))},
			}
			for i := range 3000 {
				all[fmt.Sprintf("k%d", i)] = Put{Value: BytesValue(blob(fmt.Sprint(i), i%700))}
				all[fmt.Sprintf("n%d", i)] = Put{Value: IntegerValue(int64(i))}
			}
			for key, p := range all {
				if _, err := s.Put([]byte(key), p); err != nil {
					t.Fatal(key, err)
				}
			}
			if _, err := s.Put([]byte("gone"), Put{Value: IntegerValue(1), TTL: time.Millisecond}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Millisecond) // its time to live
			if _, err := s.SetArgs([]byte(`{"a":1}`)); err != nil {
				t.Fatal(err)
			}
			for i := range 5 {
				s.CountAnswer(i, Outcome(i%int(outcomes)), time.Duration(i)*time.Second)
			}
			s.CountReceived(70)
			s.CountSent(80)
			s.CountFull()
			s.CountLookup(true)
			s.CountLookup(false)
			s.CountLookup(false)
			s.ConnOpened()
			counted, writes := from.Meters(s.ID().Slot), from.Counts().Writes
			master, _, err := to.AttachMaster(false)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := s.CopyTo(master); err != nil || n != len(all) {
				t.Fatalf("%d keys were copied, want %d: %v", n, len(all), err)
			}
			for key, p := range all {
				item, err := master.Read(nil, []byte(key))
				if err != nil || item.Integer != p.Value.Integer || item.Int != p.Value.Int || !bytes.Equal(item.Bytes, p.Value.Bytes) {
					t.Fatalf("%.20q is %v, %v", key, item.Value, err)
				}
				if item.TTL > p.TTL || item.TTL < p.TTL-time.Minute {
					t.Errorf("%.20q lives for %v, want %v", key, item.TTL, p.TTL)
				}
			}
			if stats := to.Stats(); stats.Entries != uint64(len(all)) {
				t.Errorf("%d keys, want %d", stats.Entries, len(all))
			}
			if args, err := master.Args(nil); err != nil || string(args) != `{"a":1}` {
				t.Errorf("arguments %s, %v", args, err)
			}
			var sum Meters
			for i := range 2 {
				one := to.Meters(i)
				sum.Add(&one)
			}
			if sum != counted || sum.Answers.All() != 5 || sum.Misses != 2 {
				t.Errorf("%+v is counted, want %+v", sum, counted)
			}
			if n := to.Counts().Writes; n != writes || writes < uint64(len(all)) {
				t.Errorf("%d writes are counted, want %d", n, writes)
			}
			if n, err := master.Add([]byte("n41"), 1, 0); n != 42 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
			if err := master.Detach(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestCopyToTooSmall(t *testing.T) {
	t.Parallel()
	from, to := heapRegion(t, Geometry{Size: 8 << 20, Slots: 2}), heapRegion(t, Geometry{Size: MinSize, Slots: 2})
	_, s := attached(t, from)
	for i := range 3000 {
		if _, err := s.Put(fmt.Appendf(nil, "k%d", i), Put{Value: BytesValue(blob("v", 1000))}); err != nil {
			t.Fatal(err)
		}
	}
	_, other := attached(t, to)
	if _, err := s.CopyTo(other); !errors.Is(err, ErrFull) {
		t.Errorf("%v", err)
	}
}
