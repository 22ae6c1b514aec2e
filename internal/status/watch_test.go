package status

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
)

// made is a new region with so many keys, that nobody serves, but whose master lives.
func made(t *testing.T, path string, size int64, keys int) {
	t.Helper()
	r, err := shm.Create(path, shm.Geometry{Size: size, Slots: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	s, _, err := r.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	for i := range keys {
		if _, err := s.Set([]byte{byte(i)}, 1); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWatchFollows: whatever file is at the path is looked at, and never compared with
// another one.
func TestWatchFollows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, next := filepath.Join(dir, "region"), filepath.Join(dir, "next")
	w := NewWatch(path, shm.OpenReadOnly)
	defer w.Close()
	look := func(what string, keys uint64, rates bool) {
		t.Helper()
		d, err := w.Look()
		if err != nil || d.Region.Keys != keys || (d.Interval != nil) != rates || !d.Running || d.Masters[0].PID != os.Getpid() {
			t.Errorf("%s: %d keys, interval %v, %v", what, d.Region.Keys, d.Interval, err)
		}
		time.Sleep(2 * time.Millisecond) // an interval is not nothing
	}
	gone := func(what string, want error) {
		t.Helper()
		if _, err := w.Look(); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	gone("before there is one", fs.ErrNotExist)
	made(t, path, 2<<20, 3)
	look("a new one", 3, false)
	look("the same", 3, true)
	made(t, next, 4<<20, 5)
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
	look("another in its place", 5, false)
	look("the same again", 5, true)
	if err := os.Rename(path, next); err != nil {
		t.Fatal(err)
	}
	gone("taken away", fs.ErrNotExist)
	gone("still", fs.ErrNotExist)
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
	look("put back", 5, false)
	if err := os.WriteFile(next, []byte("no region"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
	gone("something else in its place", shm.ErrNotRegion)
	made(t, next, 2<<20, 1)
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
	look("a region again", 1, false)
	if err := os.Truncate(path, 1<<20); err != nil {
		t.Fatal(err)
	}
	gone("cut off", shm.ErrTruncated)
}
