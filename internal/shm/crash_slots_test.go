//go:build crashpoints

package shm

import (
	"path/filepath"
	"testing"
)

// slotWorld is a mapped region whose processes are open file descriptions of
// this one: closing one is its death, as far as byte locks tell.
type slotWorld struct {
	t    *testing.T
	path string
}

func newSlotWorld(t *testing.T) slotWorld {
	path := filepath.Join(t.TempDir(), "region")
	r, err := Create(path, crashGeometry)
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	return slotWorld{t: t, path: path}
}

func (w slotWorld) open() *Region {
	r, err := Open(w.path)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// verify starts a master as after any death: it must find every slot usable,
// the keys as they were, and nothing unfinished.
func (w slotWorld) verify(keys map[string]int64) {
	w.t.Helper()
	r := w.open()
	defer r.Close()
	s, _, err := r.AttachMaster(false)
	if err != nil {
		w.t.Fatal(err)
	}
	report := r.Check()
	if !report.OK() || len(report.Pending) > 0 {
		w.t.Fatalf("check: %v, unfinished: %v", report.Violations, report.Pending)
	}
	if why := (world{keys: keys}).differs(s, report.Entries); why != "" {
		w.t.Fatal(why)
	}
	for range crashGeometry.Slots {
		id, err := s.Claim(-1)
		if err != nil {
			w.t.Fatalf("a slot is lost: %v", err)
		}
		if _, err := s.Recover(id); err != nil {
			w.t.Fatal(err)
		}
		if again, err := s.Claim(id.Slot); err != nil || again.Generation != id.Generation+1 {
			w.t.Fatalf("slot %v is followed by %v, %v", id, again, err)
		}
	}
}

// TestCrashPointsOfAMaster kills a master at every store with which it changes
// who has which slot.
func TestCrashPointsOfAMaster(t *testing.T) {
	for n := 1; ; n++ {
		w := newSlotWorld(t)
		r := w.open()
		_, dead := killAt(n, func() {
			s, _, err := r.AttachMaster(false)
			if err != nil {
				t.Fatal(err)
			}
			first, err := s.Claim(-1)
			if err != nil {
				t.Fatal(err)
			}
			s.Spawned(first, 1)
			if _, err := s.Claim(-1); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Recover(first); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Claim(first.Slot); err != nil {
				t.Fatal(err)
			}
			if err := s.Detach(); err != nil {
				t.Fatal(err)
			}
		})
		r.Close()
		w.verify(nil)
		if !dead {
			t.Logf("%d crash points", n-1)
			return
		}
	}
}

// TestCrashPointsOfAttach kills a worker while it takes its slot.
func TestCrashPointsOfAttach(t *testing.T) {
	for n := 1; ; n++ {
		w := newSlotWorld(t)
		r := w.open()
		master, _, err := r.AttachMaster(false)
		if err != nil {
			t.Fatal(err)
		}
		id, err := master.Claim(-1)
		if err != nil {
			t.Fatal(err)
		}
		worker := w.open()
		_, dead := killAt(n, func() {
			s, err := worker.Attach(id)
			if err != nil {
				t.Fatal(err)
			}
			s.SetState(StateReady)
			s.Beat()
		})
		worker.Close()
		r.Close()
		w.verify(nil)
		if !dead {
			t.Logf("%d crash points", n-1)
			return
		}
	}
}

// TestCrashPointsOfATakeover: a worker died at any store of an insert, its
// master with it; the master that starts next dies at each of its stores, and
// the one after that in its own, before one lives.
func TestCrashPointsOfATakeover(t *testing.T) {
	total := 0
	for at := 1; ; at++ {
		lived := false
		for n, more := 1, true; more; n++ {
			var committed bool
			w := newSlotWorld(t)
			lived, committed = w.dieInserting(at)
			more = w.dieTakingOver(n)
			if lived || committed {
				w.verify(map[string]int64{"key": 7})
			} else {
				w.verify(nil)
			}
			total++
		}
		if lived {
			t.Logf("%d takeovers after deaths at %d stores", total, at-1)
			return
		}
	}
}

// dieInserting runs a master and a worker that dies at store at of an insert.
// It reports whether the worker outlived it, and whether the insert was
// committed: its record is there, or applied.
func (w slotWorld) dieInserting(at int) (lived, committed bool) {
	w.t.Helper()
	r, own := w.open(), w.open()
	defer r.Close()
	defer own.Close()
	master, _, err := r.AttachMaster(false)
	if err != nil {
		w.t.Fatal(err)
	}
	id, err := master.Claim(-1)
	if err != nil {
		w.t.Fatal(err)
	}
	worker, err := own.Attach(id)
	if err != nil {
		w.t.Fatal(err)
	}
	_, died := killAt(at, func() { _, _ = worker.Set([]byte("key"), 7) })
	var k target
	k.aim([]byte("key"), worker.seed)
	h := worker.shardOf(&k).header
	return !died, h.state.Load() != 0 || h.entries.Load() == 1
}

// dieTakingOver starts two masters one after the other that die at store n. It
// reports whether one did.
func (w slotWorld) dieTakingOver(n int) (died bool) {
	w.t.Helper()
	for range 2 {
		r := w.open()
		_, dead := killAt(n, func() {
			if _, _, err := r.AttachMaster(false); err != nil {
				w.t.Fatal(err)
			}
		})
		r.Close()
		died = died || dead
	}
	return died
}
