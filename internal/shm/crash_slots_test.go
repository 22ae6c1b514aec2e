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
func (w slotWorld) verify(keys map[string]cell) {
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
	var arena []byte
	shown, err := look(s, &arena)
	if err != nil {
		w.t.Fatal(err)
	}
	if why := (world{keys: keys}).differs(shown, never); why != "" || int(report.Entries) != len(keys) {
		w.t.Fatalf("%d entries: %s", report.Entries, why)
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
// master with it; the master that starts next dies in each phase of its start,
// and the one after that in its own, before one lives.
func TestCrashPointsOfATakeover(t *testing.T) {
	stride := 23
	if testing.Short() {
		stride = 211
	}
	total := 0
	for at := 1; ; at++ {
		stores, lived := newSlotWorld(t).takeover(at, 0)
		for n := 1; n <= stores; n++ {
			if n > 4 && n < stores-12 && (n+at)%stride != 0 {
				continue // one of hundreds of words of the bitmap
			}
			newSlotWorld(t).takeover(at, n)
			total++
		}
		if lived {
			t.Logf("%d takeovers after deaths at %d stores", total, at-1)
			return
		}
	}
}

// takeover is one, after a death at store at, with deaths at store n. It tells
// how many stores the first master's start has, and whether the worker lived.
func (w slotWorld) takeover(at, n int) (stores int, lived bool) {
	w.t.Helper()
	lived, happened := w.dieInserting(at)
	for range 2 {
		r := w.open()
		did, _ := killAt(n, func() {
			if _, _, err := r.AttachMaster(false); err != nil {
				w.t.Fatal(err)
			}
		})
		r.Close()
		stores = max(stores, did)
	}
	keys := map[string]cell{}
	if happened {
		keys["key"] = cell{bytes: slotValue}
	}
	w.verify(keys)
	return stores, lived
}

// slotValue is what the worker of a takeover puts.
var slotValue = text('s', 100)

// dieInserting runs a master and a worker that dies at store at of an insert.
// It reports whether the worker outlived it, and whether the insert has
// happened: everybody sees it then.
func (w slotWorld) dieInserting(at int) (lived, happened bool) {
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
	_, died := killAt(at, func() { _ = putBytes("key", slotValue).do(worker) })
	_, there, sure := peek(worker, "key")
	return !died, there && sure
}
