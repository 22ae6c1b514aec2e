package shm

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// populated is a region of one shard in every state that a shard can be in:
// chains, full slabs, free lists, wide and negative values, long keys,
// arguments, processes. It is not checked at the end: tests damage it.
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
		key := checkKey(i)
		v := int64(i) - 300
		if i%11 == 0 {
			v *= narrowMax
		}
		if _, err := s.Set(key, v); err != nil {
			t.Fatal(err)
		}
	}
	for i := 1; i < populatedKeys; i += 6 {
		if _, err := s.Delete(checkKey(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetArgs([]byte(`{"workers":4}`)); err != nil {
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
		func() { holdLock(newStore(r, ID{Slot: 1}, nil), "k") },
		func() { r.shards[0].header.seq.Add(1) },
		func() { r.shards[0].header.entries.Add(1) },
		func() { r.slot(0).state.Store(9) },
		func() { r.shards[0].header.state.Store(1) },
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
			var stop atomic.Bool
			var churning sync.WaitGroup
			for i, s := range stores {
				churning.Go(func() {
					for rng := rand.New(rand.NewPCG(1, uint64(i))); !stop.Load(); {
						churn(s, checkKey(rng.IntN(200)), rng.Int64())
						if err := s.SetArgs(checkKey(rng.IntN(600))); err != nil {
							t.Error(err)
						}
					}
				})
			}
			checked := 0
			checks := 100
			if testing.Short() {
				checks = 20
			}
			for range checks {
				report := r.Check()
				checked += report.Shards - len(report.Busy)
				if len(report.Violations) > 0 {
					t.Errorf("false alarm: %v", report.Violations)
					break
				}
			}
			stop.Store(true)
			churning.Wait()
			if checked == 0 {
				t.Error("no shard ever held still: nothing was checked")
			}
		})
	}
}

// churn inserts, widens, narrows, adds or deletes.
func churn(s *Store, key []byte, v int64) {
	switch v & 3 {
	case 0:
		_, _ = s.Delete(key) // it may be absent
	case 1:
		_, _ = s.Set(key, v)
	default:
		_, _ = s.Add(key, v%1000, 0) // it may overflow
	}
}
