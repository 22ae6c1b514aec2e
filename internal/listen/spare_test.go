package listen

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestReserve: the sockets that an address may need are there before they are
// wanted, get no connection until then, and come and go as others do.
func TestReserve(t *testing.T) {
	t.Parallel()
	for _, address := range loopbacks(t) {
		const most = 4
		l := open(t, address, 1, PerSlot)
		if err := l.Reserve(most); err != nil {
			t.Fatal(err)
		}
		reserved := map[int]bool{l.FD(0): true}
		for _, fd := range l.spare {
			reserved[fd] = true
		}
		if len(reserved) != most {
			t.Fatalf("%s: %d sockets for %d slots", address, len(reserved), most)
		}
		for _, slots := range []int{1, 3, most, 2, 1, most} {
			if err := l.Resize(slots); err != nil {
				t.Fatalf("%s: resize to %d: %v", address, slots, err)
			}
			if l.Sockets() != slots || len(l.spare) != most-slots {
				t.Errorf("%s: %d sockets and %d to spare, want %d of %d", address, l.Sockets(), len(l.spare), slots, most)
			}
			for slot, n := range shares(t, l, slots, 200) { // every connection is with one of them
				if !reserved[l.FD(slot)] || n == 0 {
					t.Errorf("%s: slot %d of %d has descriptor %d of %v and got %d connections", address, slot, slots, l.FD(slot), reserved, n)
				}
			}
			if slots > 1 { // the kernel's order is the slots'
				live := make([]bool, slots)
				live[slots-1] = true
				if err := l.Steer(live); err != nil {
					t.Fatal(err)
				}
				if got := shares(t, l, slots, 20); got[slots-1] != 20 {
					t.Errorf("%s: steered to slot %d alone: %v", address, slots-1, got)
				}
				live = nil
				if err := l.Steer(live); err != nil {
					t.Fatal(err)
				}
			}
		}
		addr := l.Addr()
		if err := errors.Join(l.Resize(2), l.Close()); err != nil {
			t.Fatal(err)
		}
		if c, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: after Close: %v, %v", address, c, err)
		}
		open(t, addr, 1, PerSlot) // nobody holds the port
	}
}

// TestReserveOfShared: one socket for all is enough for all.
func TestReserveOfShared(t *testing.T) {
	t.Parallel()
	for _, l := range []*Listener{open(t, "127.0.0.1:0", 1, Shared), open(t, "unix:"+filepath.Join(t.TempDir(), "s"), 1, PerSlot)} {
		if err := errors.Join(l.Reserve(4), l.Resize(4)); err != nil || l.Sockets() != 1 || len(l.spare) != 0 {
			t.Errorf("%s: %d sockets, %d to spare, %v", l, l.Sockets(), len(l.spare), err)
		}
	}
}

// TestInheritSpare: what was reserved goes with the listener, to processes that
// could reserve nothing.
func TestInheritSpare(t *testing.T) {
	t.Parallel()
	lender := open(t, "127.0.0.1:0", 1, PerSlot)
	if err := lender.Reserve(3); err != nil {
		t.Fatal(err)
	}
	h := handed(t, lender)
	spare := map[int]bool{h.Spare[0]: true, h.Spare[1]: true}
	heir := takeOver(t, h)
	if err := heir.Resize(3); err != nil {
		t.Fatal(err)
	}
	if !spare[heir.FD(1)] || !spare[heir.FD(2)] || heir.FD(1) == heir.FD(2) {
		t.Errorf("descriptors %d and %d, handed were %v", heir.FD(1), heir.FD(2), spare)
	}
	// Not one to spare, and still all are reserved.
	last := takeOver(t, handed(t, heir))
	if err := lender.Close(); err != nil {
		t.Fatal(err)
	}
	if err := heir.Close(); err != nil {
		t.Fatal(err)
	}
	last.Own()
	for _, slots := range []int{1, 3} {
		if err := last.Resize(slots); err != nil || len(last.spare) != 3-slots {
			t.Fatalf("%d to spare, %v", len(last.spare), err)
		}
	}
	for slot, n := range shares(t, last, 3, 200) {
		if n == 0 {
			t.Errorf("slot %d got nothing", slot)
		}
	}
}

// TestGiveTo: the socket's file becomes the user's, and nobody else's does.
func TestGiveTo(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root may give files away")
	}
	const uid, gid = 65501, 65502
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	l := open(t, "unix:"+path, 1, Shared)
	if err := l.GiveTo(uid, gid); err != nil {
		t.Fatal(err)
	}
	owner := func() (uint32, uint32) {
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			t.Fatal(err)
		}
		return st.Uid, st.Gid
	}
	if u, g := owner(); u != uid || g != gid {
		t.Errorf("owner %d:%d", u, g)
	}
	if err := errors.Join(os.Rename(path, path+".old"), os.WriteFile(path, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := l.GiveTo(uid, gid); err == nil {
		t.Error("a file that took the path's place was given away")
	}
	if u, _ := owner(); u != 0 {
		t.Errorf("the file in its place belongs to %d", u)
	}
	if err := open(t, "127.0.0.1:0", 1, Shared).GiveTo(uid, gid); err != nil {
		t.Error(err)
	}
}

// TestPathNotOurs: where the path cannot be removed, clients are refused, and
// what waits is served.
func TestPathNotOurs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	l := open(t, "unix:"+path, 1, Shared)
	client := dial(t, l)
	if err := sealed(filepath.Dir(path), l.CloseDoor); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Fatalf("the path was to stay: %v", err)
	}
	if _, err := net.Dial("unix", path); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a client after the door was closed: %v", err)
	}
	nl := inherit(t, l, 0)
	if c, err := nl.Accept(); err != nil {
		t.Errorf("the client that was there before: %v", err)
	} else {
		c.Close()
	}
	client.Close()
	if err := sealed(filepath.Dir(path), l.Close); err != nil {
		t.Error(err)
	}
	again := open(t, "unix:"+path, 1, Shared) // as behind a killed server
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// sealed runs do while nothing in the directory can be removed. Root may remove
// everything but what is immutable, so it acts as another user.
func sealed(dir string, do func() error) error {
	if os.Geteuid() != 0 {
		if err := os.Chmod(dir, 0o500); err != nil {
			return err
		}
		defer os.Chmod(dir, 0o700)
		return do()
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	done := make(chan error)
	go func() { // its thread, which is another user's now, ends with it
		runtime.LockOSThread()
		if err := unix.Setfsuid(65501); err != nil {
			done <- err
			return
		}
		done <- do()
	}()
	return <-done
}
