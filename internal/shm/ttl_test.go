package shm

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// A write without a time to live and one that gives it, at once: as if one had
// come after the other.
func TestPutBesideSetTTL(t *testing.T) {
	t.Parallel()
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 2})
	master, a := attached(t, r)
	b := newWorker(t, r, master)
	key := []byte("key")
	rounds := 60_000
	if testing.Short() {
		rounds = 10_000
	}
	for round := range rounds {
		if _, err := a.Put(key, Put{Value: IntegerValue(5)}); err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := a.Put(key, Put{Value: IntegerValue(7)}); err != nil {
				t.Error(err)
			}
		})
		given, err := b.SetTTL(key, time.Hour, Condition{})
		both.Wait()
		if err != nil {
			t.Fatal(err)
		}
		item, err := b.Read(nil, key)
		if err != nil || item.Int != 7 || (given.Int == 5) != (item.TTL == 0) {
			t.Fatalf("round %d: the time to live was given to %d, and the key is %d with %v left (%v)", round, given.Int, item.Int, item.TTL, err)
		}
	}
}

// The sweep comes to every shard, however little time it has.
func TestSweepComesToEveryShard(t *testing.T) {
	t.Parallel()
	r := heapRegion(t, Geometry{Size: 16 << 20, Slots: 2})
	ms := uint64(1)
	r.clock = func() uint64 { return ms }
	_, s := attached(t, r)
	const keys = 20_000
	for i := range keys {
		if _, err := s.Put(fmt.Appendf(nil, "k%d", i), Put{Value: BytesValue(blob("v", 50)), TTL: time.Second}); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.SweepExpired(time.Hour); n != 0 {
		t.Fatalf("%d keys were reclaimed that have not expired", n)
	}
	ms += 2000
	reclaimed, calls := 0, 0
	for ; reclaimed < keys && calls < 100_000; calls++ {
		ms += 100
		reclaimed += s.SweepExpired(time.Nanosecond)
	}
	if st := r.Stats(); reclaimed != keys || st.Entries != 0 || st.Used != 0 || st.Expiries != keys {
		t.Errorf("%d calls reclaimed %d of %d keys: %+v", calls, reclaimed, keys, st)
	}
}

// A shard that is locked by somebody who does not go on does not keep the sweep.
func TestSweepPassesALockedShard(t *testing.T) {
	look := lockLook
	lockLook = 20 * time.Millisecond
	defer func() { lockLook = look }()
	r := heapRegion(t, Geometry{Size: 8 << 20, Slots: 2})
	ms := uint64(1)
	r.clock = func() uint64 { return ms }
	master, s := attached(t, r)
	for i := range 2000 {
		if _, err := s.Put(fmt.Appendf(nil, "k%d", i), Put{Value: IntegerValue(1), TTL: time.Second}); err != nil {
			t.Fatal(err)
		}
	}
	ms += 2000
	sh := holdLock(newWorker(t, r, master), "somewhere")
	in := int(sh.header.entries.Load())
	began, n := time.Now(), 0
	for range 3 {
		ms += 100
		n += s.SweepExpired(time.Minute)
	}
	if n != 2000-in {
		t.Errorf("%d keys were reclaimed, %d are in shards that are not locked", n, 2000-in)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("that took %v", took)
	}
	surrender(&sh.header.lock)
	ms += 100
	if n := s.SweepExpired(time.Minute); n != in {
		t.Errorf("%d keys were reclaimed when the lock was free, of %d", n, in)
	}
}

// Many who wait for one who does not go on are given up together.
func TestManyWaitForOneWhoDoesNotGoOn(t *testing.T) {
	look := lockLook
	lockLook = 100 * time.Millisecond
	defer func() { lockLook = look }()
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 2})
	master, s := attached(t, r)
	sh := holdLock(newWorker(t, r, master), "key")
	var waiting sync.WaitGroup
	began := time.Now()
	for range 200 {
		waiting.Go(func() {
			if _, err := s.Put([]byte("key"), Put{Value: BytesValue(nil)}); !errors.Is(err, ErrLocked) {
				t.Error(err)
			}
		})
	}
	waiting.Wait()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("200 callers were given up after %v, one after the other", took)
	}
	surrender(&sh.header.lock)
}
