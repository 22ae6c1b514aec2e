package shm

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// populated is a region of one shard in every state that a shard can be in:
// chains, wide and negative counters, long keys, values in one extent and in
// many, with and without bytes that have the high bit, times to live, free
// units between used ones, arguments, processes. It is not checked at the end:
// tests damage it.
func populated(t testing.TB) *Region {
	t.Helper()
	r, err := NewHeap(Geometry{Size: MinSize, Slots: 4})
	if err != nil {
		t.Fatal(err)
	}
	populate(t, r)
	return r
}

const populatedKeys = 300

func populate(t testing.TB, r *Region) {
	t.Helper()
	_, s := attached(t, r)
	for i := range populatedKeys {
		if _, err := s.Put(checkKey(i), checkPut(i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := 1; i < populatedKeys; i += 6 {
		if err := s.Remove(checkKey(i), Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.SetArgs([]byte(`{"workers":4}`)); err != nil {
		t.Fatal(err)
	}
	if report := r.Check(); !report.OK() || len(report.Pending) != 0 || report.Entries != populatedKeys*5/6 {
		t.Fatalf("before any damage: %+v", report)
	}
}

// checkKey is 8 to 500 bytes long, mostly short.
func checkKey(i int) []byte {
	return fmt.Appendf(nil, "key:%04d%s", i, strings.Repeat("x", i%5*i%493))
}

// checkPut is a counter for each third key, narrow or wide, else bytes of every
// length up to some extents.
func checkPut(i int) Put {
	p := Put{Value: IntegerValue(int64(i) - 300)}
	switch {
	case i%3 != 0:
		p.Value = BytesValue(bytes.Repeat([]byte{0xff, 'a', 0x80}, i*i%4001/3+1))
	case i%11 == 0:
		p.Value.Int *= narrowMax
	}
	if i%4 == 0 {
		p.TTL = time.Duration(i+1) * time.Hour
	}
	return p
}

// A check changes nothing, whatever it finds, and needs no right to.
func TestCheckNeverWrites(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "region")
	r, err := Create(path, Geometry{Size: MinSize, Slots: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	populate(t, r)
	for _, damage := range []func(){
		func() {},
		func() { r.shards[0].header.seq.Add(1) },
		func() { r.shards[0].header.entries.Add(1) },
		func() { r.shards[0].bitmap[0].Store(0) },
		func() { r.slot(0).state.Store(9) },
		func() { r.shards[0].buckets[0].Store(1) },
		func() { holdLock(newStore(r, ID{Slot: 1}, nil), "k") },
	} {
		damage()
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := r.Check()
		own, err := OpenReadOnly(path)
		if err != nil {
			t.Fatal(err)
		}
		got := own.Check() // a write would be a fault
		own.Close()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("open for reading: %+v, for writing: %+v", got, want)
		}
		after, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(before, after) {
			t.Fatalf("the check wrote to the region (%v)", err)
		}
	}
}

// A check among writers may call a shard busy, never wrong.
func TestCheckAmongWriters(t *testing.T) {
	t.Parallel()
	for _, b := range backings {
		t.Run(b.name, func(t *testing.T) {
			r := b.make(t, Geometry{Size: 4 << 20, Slots: 4})
			master, first := attached(t, r)
			stores := []*Store{first, newWorker(t, r, master), newWorker(t, r, master)}
			checked, checks := 0, 200
			if testing.Short() {
				checks = 20
			}
			for n := range checks {
				report := checkAmong(r, stores, func(s *Store, i int) {
					// The longer they go on, the longer no shard holds still.
					for rng := rand.New(rand.NewPCG(uint64(n), uint64(i))); i < 3000; i += 1 + n {
						churn(s, checkKey(rng.IntN(200)), rng.Int64())
					}
				})
				checked += report.Shards - len(report.Busy)
				if len(report.Violations) > 0 {
					t.Errorf("false alarm: %v", report.Violations)
					break
				}
			}
			if checked == 0 {
				t.Error("no shard ever held still: nothing was checked")
			}
		})
	}
}

// checkAmong checks a region while each store does something.
func checkAmong(r *Region, stores []*Store, do func(s *Store, i int)) Report {
	var doing sync.WaitGroup
	defer doing.Wait()
	for i, s := range stores {
		doing.Go(func() { do(s, i) })
	}
	return r.Check()
}

// churn writes, widens, narrows, adds, removes or gives a time to live. Each may
// be refused: the key is absent, or another kind.
func churn(s *Store, key []byte, v int64) {
	switch v & 7 {
	case 0:
		_ = s.Remove(key, Condition{})
	case 1:
		_, _ = s.Set(key, v)
	case 2, 3:
		_, _ = s.Put(key, Put{Value: BytesValue(bytes.Repeat([]byte{byte(v), 0xff}, int(v>>8&1023)))})
	case 4:
		_, _ = s.SetTTL(key, time.Duration(v&0xffff)*time.Microsecond, Condition{})
	case 5:
		_, _ = s.SetArgs(key)
	default:
		_, _ = s.Add(key, v%1000, 0)
	}
}
