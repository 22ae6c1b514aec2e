package shm

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A worker that has just been started still has the descriptor that it
// inherits. If its master dies now, that must not pass for the master's life.
func TestInheritedDescriptorProvesNothing(t *testing.T) {
	r := mappedRegion(t, Geometry{Size: MinSize, Slots: 2})
	path := r.path
	if _, _, err := r.AttachMaster(false); err != nil {
		t.Fatal(err)
	}
	inherited, err := unix.Dup(int(r.File().Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(inherited)
	r.life.Close() // all that the master's death closes, but for the mapping that the test ends with
	next, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	s, _, err := next.AttachMaster(false)
	if err != nil {
		t.Fatalf("after the master's death, with a worker on its way: %v", err)
	}
	if err := s.Detach(); err != nil {
		t.Fatal(err)
	}
}

// claimedSlot is a region whose master has claimed a slot for a process that
// has not come yet.
func claimedSlot(t *testing.T) (r *Region, master *Store, id ID) {
	t.Helper()
	r = mappedRegion(t, Geometry{Size: MinSize, Slots: 2})
	master, _, err := r.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	id, err = master.Claim(-1)
	if err != nil {
		t.Fatal(err)
	}
	return r, master, id
}

// An orphan that comes late takes the byte lock of a slot that is claimed for
// its successor, finds out, and lets go: the successor waits for that.
func TestAttachOutwaitsALateOrphan(t *testing.T) {
	r, master, id := claimedSlot(t)
	orphan, err := Open(r.path)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := hold(orphan.file, r.lifeByte(id.Slot)); err != nil || !ok {
		t.Fatal(ok, err)
	}
	successor, err := Open(r.path)
	if err != nil {
		t.Fatal(err)
	}
	defer successor.Close()
	attached := make(chan error, 1)
	go func() {
		_, err := successor.Attach(id)
		attached <- err
	}()
	select {
	case err := <-attached:
		t.Fatalf("attached while another holds the lock: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	orphan.Close()
	if err := <-attached; err != nil {
		t.Fatal(err)
	}
	// The late orphan itself does not get as far as the lock.
	if _, err := orphanAttach(t, r.path, ID{Slot: id.Slot, Generation: id.Generation - 1}); !errors.Is(err, ErrSlotLost) {
		t.Errorf("a late orphan: %v", err)
	}
	successor.Close()
	if _, err := master.Recover(id); err != nil {
		t.Fatal(err)
	}
}

func orphanAttach(t *testing.T, path string, id ID) (*Store, error) {
	t.Helper()
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	return r.Attach(id)
}

// A refused Attach takes nothing from whoever lives in the slot: neither the
// lock that proves its life, nor what it says of itself.
func TestRefusedAttachIsHarmless(t *testing.T) {
	r, _, id := claimedSlot(t)
	own, err := Open(r.path)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	living, err := own.Attach(id)
	if err != nil {
		t.Fatal(err)
	}
	living.SetState(StateReady)
	for _, again := range []ID{id, {Slot: id.Slot, Generation: id.Generation + 9}} {
		if _, err := own.Attach(again); !errors.Is(err, ErrSlotLost) {
			t.Errorf("a second Attach as %v: %v", again, err)
		}
	}
	if live, err := r.alive(r.life, id.Slot); !live || err != nil {
		t.Errorf("alive after a refused Attach: %v, %v", live, err)
	}
	if st := State(r.slot(id.Slot).state.Load()); st != StateReady {
		t.Errorf("a refused Attach set the state to %v", st)
	}
}

// A handle has one master; a second one must not take the first for dead.
func TestOneMasterAHandle(t *testing.T) {
	r := mappedRegion(t, Geometry{Size: MinSize, Slots: 1})
	first, _, err := r.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	for _, join := range []bool{false, true} {
		if _, _, err := r.AttachMaster(join); !errors.Is(err, ErrInUse) {
			t.Errorf("a second master, join %v: %v", join, err)
		}
	}
	if err := first.Detach(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.AttachMaster(false); err != nil {
		t.Errorf("after Detach: %v", err)
	}
}

// The door is the process's: goroutines of one master take turns before it.
func TestDoorIsHeldAgainstGoroutines(t *testing.T) {
	r := mappedRegion(t, Geometry{Size: MinSize, Slots: 4})
	s, _, err := r.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	s.door.Lock() // as a Sweep under way has it
	if err := enter(s.life); err != nil {
		t.Fatal(err)
	}
	claimed := make(chan error, 1)
	go func() {
		_, err := s.Claim(-1)
		claimed <- err
	}()
	select {
	case <-claimed:
		t.Error("Claim went through the door during a Sweep")
	case <-time.After(20 * time.Millisecond):
	}
	if err := letGo(s.life, doorByte); err != nil {
		t.Fatal(err)
	}
	s.door.Unlock()
	if err := <-claimed; err != nil {
		t.Fatal(err)
	}
}

// A FIFO is refused, not waited for.
func TestOpenOfAFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func(string) (*Region, error){"Open": Open, "OpenReadOnly": OpenReadOnly} {
		if _, err := open(path); !errors.Is(err, ErrNotRegion) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAlive: who only looks is told the truth of other processes, whatever their slots
// say, and of its own.
func TestAlive(t *testing.T) {
	r := mappedRegion(t, Geometry{Size: MinSize, Slots: 2})
	f := startFamily(t, r)
	before, err := os.ReadFile(r.path)
	if err != nil {
		t.Fatal(err)
	}
	look, err := OpenReadOnly(r.path)
	if err != nil {
		t.Fatal(err)
	}
	defer look.Close()
	want := func(what string, region *Region, slot int, alive bool) {
		t.Helper()
		if got, err := region.Alive(slot); got != alive || err != nil {
			t.Errorf("%s: alive %v, %v", what, got, err)
		}
	}
	master := -1
	for _, row := range look.Slots() {
		if row.Master {
			master = row.Slot
		}
	}
	for name, region := range map[string]*Region{"read-only": look, "for writing": r} {
		want(name+": the worker", region, f.id.Slot, true)
		want(name+": the master", region, master, true)
		want(name+": a free slot", region, f.id.Slot+1, false)
		want(name+": no slot", region, 99, false)
		want(name+": no slot", region, -1, false)
	}
	f.killWorker(t)
	want("a killed worker", look, f.id.Slot, false)
	want("its master", look, master, true)
	f.kill(t)
	want("a killed master", look, master, false)
	if n := len(look.Slots()); n != 2 {
		t.Errorf("%d slots say that they are taken, want the 2 of the dead", n)
	}
	if after, err := os.ReadFile(r.path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("looking has changed the region (%v)", err)
	}

	own := reopened(t, r)
	s, _, err := own.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	id, err := s.Claim(-1)
	if err != nil {
		t.Fatal(err)
	}
	want("a worker that is on its way", look, id.Slot, false)
	mine := reopened(t, r)
	w, err := mine.Attach(id)
	if err != nil {
		t.Fatal(err)
	}
	want("this process's own slot", mine, id.Slot, true)
	want("it is still there when it has asked", look, id.Slot, true)
	if err := w.Detach(); err != nil {
		t.Fatal(err)
	}
	want("after Detach", mine, id.Slot, false)
	if _, err := s.Recover(id); err != nil {
		t.Fatal(err)
	}
	want("on the heap", heapRegion(t, Geometry{Size: MinSize, Slots: 2}), 0, true)
}
