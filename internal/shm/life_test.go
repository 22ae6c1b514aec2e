package shm

import (
	"errors"
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

// An orphan that comes late takes the byte lock of a slot that is claimed for
// its successor, finds out, and lets go: the successor waits for that.
func TestAttachOutwaitsALateOrphan(t *testing.T) {
	r := mappedRegion(t, Geometry{Size: MinSize, Slots: 2})
	master, _, err := r.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	id, err := master.Claim(-1)
	if err != nil {
		t.Fatal(err)
	}
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
