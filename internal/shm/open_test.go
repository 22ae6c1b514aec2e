package shm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// openErrors are all that Open may say about a file that is there.
var openErrors = []error{ErrNotRegion, ErrVersion, ErrDamaged, ErrTruncated, ErrOtherBoot}

// regionBytes is the content of a new region with one key.
func regionBytes(t *testing.T) []byte {
	t.Helper()
	r := mappedRegion(t, Geometry{Size: MinSize, Slots: 2})
	_, s := attached(t, r)
	if _, err := s.Set([]byte("k"), 7); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(r.path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// sealed fixes the checksum of a changed superblock.
func sealed(content []byte) []byte {
	binary.LittleEndian.PutUint32(content[crcOffset:], pageCRC(content[:pageSize]))
	return content
}

// refused opens a file with this content, wants an error of openErrors, and
// the file as it was.
func refused(t *testing.T, path string, content []byte, want error) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err == nil {
		r.Close()
	}
	known := false
	for _, e := range openErrors {
		known = known || errors.Is(err, e)
	}
	if !known || want != nil && !errors.Is(err, want) {
		t.Errorf("opened with %v, want %v", err, want)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(after, content) {
		t.Errorf("the refused file was changed (%v)", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	good := regionBytes(t)
	changed := func(at int, b ...byte) []byte {
		c := bytes.Clone(good)
		copy(c[at:], b)
		return sealed(c)
	}
	for _, c := range []struct {
		name    string
		content []byte
		want    error
	}{
		{"empty", nil, ErrNotRegion},
		{"a text", []byte("# not a region\n"), ErrNotRegion},
		{"a large foreign file", bytes.Repeat([]byte{0x89, 'P', 'N', 'G'}, 1<<19), ErrNotRegion},
		{"zeros", make([]byte, MinSize), ErrNotRegion},
		{"seven bytes of magic", good[:7], ErrNotRegion},
		{"magic alone", good[:8], ErrTruncated},
		{"a byte less than a page", good[:pageSize-1], ErrTruncated},
		{"one page", good[:pageSize], ErrTruncated},
		{"half", good[:len(good)/2], ErrTruncated},
		{"a page short", good[:len(good)-pageSize], ErrTruncated},
		{"a byte short", good[:len(good)-1], ErrTruncated},
		{"a byte long", append(bytes.Clone(good), 0), ErrTruncated},
		{"a page long", append(bytes.Clone(good), make([]byte, pageSize)...), ErrTruncated},
		{"an earlier version", changed(8, LayoutVersion-1), ErrVersion},
		{"a later version", changed(8, LayoutVersion+1), ErrVersion},
		{"another fingerprint", changed(16, ^good[16]), ErrVersion},
		{"another boot", changed(24, ^good[24]), ErrOtherBoot},
		{"another size", changed(64, 0, 0, 0x20), ErrDamaged},
		{"no slots", changed(72, 0), ErrDamaged},
		{"three shards", changed(76, 3), ErrDamaged},
		{"shards elsewhere", changed(96, 8), ErrDamaged},
	} {
		t.Run(c.name, func(t *testing.T) {
			refused(t, filepath.Join(t.TempDir(), "region"), c.content, c.want)
		})
	}
	t.Run("truncated anywhere", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "region")
		for n := 0; n < len(good); n += 1 + n/7 {
			refused(t, path, good[:n], nil)
		}
	})
}

// Every byte of the superblock's page is under its checksum: no value that one
// of them takes by mistake is believed.
func TestOpenRefusesEveryFlippedByte(t *testing.T) {
	t.Parallel()
	content := regionBytes(t)
	path := filepath.Join(t.TempDir(), "region")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, pageSize)
	for at := range int64(pageSize) {
		flipped := content[at] ^ byte(1<<(at%8))
		if at%2 == 0 {
			flipped = ^content[at]
		}
		if _, err := f.WriteAt([]byte{flipped}, at); err != nil {
			t.Fatal(err)
		}
		want := ErrDamaged
		if at < int64(len(magic)) {
			want = ErrNotRegion
		}
		for name, open := range map[string]func(string) (*Region, error){"Open": Open, "OpenReadOnly": OpenReadOnly} {
			if r, err := open(path); !errors.Is(err, want) {
				t.Fatalf("%s with byte %d flipped: %v, %v, want %v", name, at, r != nil, err, want)
			}
		}
		if _, err := f.ReadAt(page, 0); err != nil {
			t.Fatal(err)
		}
		expected := bytes.Clone(content[:pageSize])
		expected[at] = flipped
		if !bytes.Equal(page, expected) {
			t.Fatalf("with byte %d flipped the refused file was changed", at)
		}
		if _, err := f.WriteAt(content[at:at+1], at); err != nil {
			t.Fatal(err)
		}
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, content) {
		t.Fatalf("beyond its first page a refused file was changed (%v)", err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatalf("with every byte put back: %v", err)
	}
	r.Close()
}

func TestOpenOfAnotherBoot(t *testing.T) {
	t.Parallel()
	content := regionBytes(t)
	content[24]++
	path := filepath.Join(t.TempDir(), "region")
	if err := os.WriteFile(path, sealed(content), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if report := r.Check(); !report.OK() || report.Entries != 1 {
		t.Errorf("%+v", report)
	}
	// What is mapped to be looked at cannot be attached to, nor changed.
	if _, _, err := r.AttachMaster(false); err == nil {
		t.Error("a master attached to a region that is open for reading")
	}
	if _, err := r.Attach(ID{0, 0}); err == nil {
		t.Error("a worker attached to a region that is open for reading")
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, content) {
		t.Errorf("the file was changed (%v)", err)
	}
}

func TestOpenOfWhatIsNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, open := range map[string]func(string) (*Region, error){"Open": Open, "OpenReadOnly": OpenReadOnly} {
		if _, err := open(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of a missing file: %v", name, err)
		}
		if _, err := open(dir); !errors.Is(err, ErrNotRegion) && !errors.Is(err, syscall.EISDIR) {
			t.Errorf("%s of a directory: %v", name, err)
		}
		if _, err := open("/dev/null"); !errors.Is(err, ErrNotRegion) {
			t.Errorf("%s of a device: %v", name, err)
		}
	}
}

// A worker's mapping lives on a file without a name, and is shared.
func TestInherit(t *testing.T) {
	t.Parallel()
	r := mappedRegion(t, Geometry{Size: MinSize, Slots: 2})
	_, s := attached(t, r)
	if err := os.Remove(r.path); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.FcntlInt(r.File().Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	own, err := Inherit(os.NewFile(uintptr(fd), "region"))
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if _, err := s.Set([]byte("k"), 5); err != nil {
		t.Fatal(err)
	}
	if live, err := own.alive(own.file, s.ID().Slot); !live || err != nil {
		t.Errorf("the first process, seen by the second: %v, %v", live, err)
	}
	if report := own.Check(); report.Entries != 1 {
		t.Errorf("%+v", report)
	}
}
