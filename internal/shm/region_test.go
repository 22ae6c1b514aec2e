package shm

import (
	"path/filepath"
	"testing"
)

// backings are the two memories that every suite runs over: the heap, which
// the race detector sees, and a mapped file, which is the product.
var backings = []struct {
	name string
	make func(testing.TB, Geometry) *Region
}{
	{"heap", heapRegion},
	{"mapped", mappedRegion},
}

func heapRegion(t testing.TB, g Geometry) *Region {
	t.Helper()
	r, err := NewHeap(g)
	if err != nil {
		t.Fatal(err)
	}
	checkAtEnd(t, r)
	return r
}

func mappedRegion(t testing.TB, g Geometry) *Region {
	t.Helper()
	r, err := Create(filepath.Join(t.TempDir(), "region"), g)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	checkAtEnd(t, r)
	return r
}

// checkAtEnd makes the checker every test's last step.
func checkAtEnd(t testing.TB, r *Region) {
	t.Cleanup(func() {
		if t.Failed() {
			return
		}
		report := r.Check()
		for _, v := range report.Violations {
			t.Errorf("check: %v", v)
		}
		for _, p := range report.Pending {
			t.Errorf("check: unfinished: %s", p)
		}
		for _, b := range report.Busy {
			t.Errorf("check: shard %d never held still", b)
		}
	})
}

// attached returns a region's master and one worker.
func attached(t testing.TB, r *Region) (master, worker *Store) {
	t.Helper()
	master, _, err := r.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	return master, newWorker(t, r, master)
}

// newWorker attaches one more process; in a test that is another Store, and
// for a mapped region another open file description.
func newWorker(t testing.TB, r *Region, master *Store) *Store {
	t.Helper()
	id, err := master.Claim(-1)
	if err != nil {
		t.Fatal(err)
	}
	if r.file != nil {
		own, err := Open(r.path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { own.Close() })
		r = own
	}
	w, err := r.Attach(id)
	if err != nil {
		t.Fatal(err)
	}
	return w
}
