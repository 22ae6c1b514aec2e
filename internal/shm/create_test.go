package shm

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func TestCreate(t *testing.T) {
	t.Parallel()
	r := mappedRegion(t, Geometry{Size: 3<<20 + 12345, Slots: 5})
	info, err := os.Stat(r.path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode().Perm())
	}
	var st unix.Stat_t
	if err := unix.Stat(r.path, &st); err != nil {
		t.Fatal(err)
	}
	if got := r.Info(); got.Size != info.Size() || got.Size > 3<<20+12345 || got.Slots != 5 {
		t.Errorf("%+v of a file of %d bytes", got, info.Size())
	}
	if st.Blocks*512 < info.Size() {
		t.Errorf("%d of %d bytes are allocated: a full file system would be a SIGBUS", st.Blocks*512, info.Size())
	}
	onlyFile(t, r.path)
}

// onlyFile wants a directory that holds this file, or nothing for "".
func onlyFile(t *testing.T, path string) {
	t.Helper()
	want := filepath.Base(path)
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != want {
			t.Errorf("%s was left behind", e.Name())
		}
	}
}

func TestCreateLeavesWhatIsThere(t *testing.T) {
	t.Parallel()
	good := Geometry{Size: MinSize, Slots: 1}
	file := filepath.Join(t.TempDir(), "region")
	if err := os.WriteFile(file, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	dangling := filepath.Join(t.TempDir(), "region")
	if err := os.Symlink("nowhere", dangling); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"a file": file, "a directory": t.TempDir(), "a dangling link": dangling} {
		if _, err := Create(path, good); !errors.Is(err, ErrExists) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The name may be taken between the look and the link.
	f, err := unnamed(filepath.Dir(file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := link(f, file); !errors.Is(err, os.ErrExist) {
		t.Errorf("a name taken meanwhile: %v", err)
	}
	if content, err := os.ReadFile(file); err != nil || !bytes.Equal(content, []byte("mine")) {
		t.Errorf("the file is %q (%v)", content, err)
	}
	onlyFile(t, file)
	if _, err := Create(filepath.Join(t.TempDir(), "none", "region"), good); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("in a directory that does not exist: %v", err)
	}
}

func TestCreateWithoutRoom(t *testing.T) {
	t.Parallel()
	t.Run("more than is free", func(t *testing.T) {
		dir := t.TempDir()
		var free unix.Statfs_t
		if err := unix.Statfs(dir, &free); err != nil {
			t.Fatal(err)
		}
		size := uint64(free.Bsize)*free.Bavail + 1<<30
		if size > maxSize {
			t.Skipf("%s has more room than a region can have", dir)
		}
		_, err := Create(filepath.Join(dir, "region"), Geometry{Size: int64(size), Slots: 1})
		if !errors.Is(err, ErrNoSpace) && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%d bytes: %v", size, err)
		}
		onlyFile(t, filepath.Join(dir, ""))
	})
	t.Run("a small file system", func(t *testing.T) {
		dir := t.TempDir()
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
			t.Skipf("may not mount: %v", err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		path := filepath.Join(dir, "region")
		if _, err := Create(path, Geometry{Size: 3 << 20, Slots: 1}); !errors.Is(err, ErrNoSpace) {
			t.Errorf("3 MiB of 2: %v", err)
		}
		// A file without a name takes room as well.
		f, err := unnamed(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := unix.Fallocate(int(f.Fd()), 0, 0, 1<<20+4096); err != nil {
			t.Fatal(err)
		}
		if _, err := Create(path, Geometry{Size: MinSize, Slots: 1}); !errors.Is(err, ErrNoSpace) {
			t.Errorf("1 MiB of what is left: %v", err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
			t.Errorf("left behind: %v, %v", entries, err)
		}
		f.Close()
		r, err := Create(path, Geometry{Size: MinSize, Slots: 1})
		if err != nil {
			t.Fatalf("with room again: %v", err)
		}
		r.Close()
	})
}

func TestGeometryLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		g  Geometry
		ok bool
	}{
		{Geometry{Size: MinSize, Slots: 1}, true},
		{Geometry{Size: MinSize - 1, Slots: 1}, false},
		{Geometry{Size: MinSize, Slots: 0}, false},
		{Geometry{Size: MinSize, Slots: -1}, false},
		{Geometry{Size: MinSize, Slots: 300}, true},
		{Geometry{Size: MinSize, Slots: MaxSlots}, false}, // their meters alone take as much
		{Geometry{Size: 2 << 20, Slots: MaxSlots}, true},
		{Geometry{Size: 64 << 20, Slots: MaxSlots}, true},
		{Geometry{Size: 64 << 20, Slots: MaxSlots + 1}, false},
		{Geometry{Size: 0, Slots: 1}, false},
		{Geometry{Size: -1, Slots: 1}, false},
		{Geometry{Size: math.MinInt64, Slots: 1}, false},
		{Geometry{Size: math.MaxInt64, Slots: 1}, false},
		{Geometry{Size: maxSize, Slots: 1}, true},
		{Geometry{Size: maxSize + 1, Slots: 1}, false},
	} {
		if _, err := c.g.plan(); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrGeometry) {
			t.Errorf("%+v: %v, want a plan: %v", c.g, err, c.ok)
		}
		if c.ok {
			continue
		}
		path := filepath.Join(t.TempDir(), "region")
		if _, err := Create(path, c.g); !errors.Is(err, ErrGeometry) {
			t.Errorf("Create %+v: %v", c.g, err)
		}
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("Create %+v left a file", c.g)
		}
	}
}

// The parts of every plan lie in the file, in order, apart and aligned, and a
// plan made from what it wrote down is the same.
func TestGeometryProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		shift := rapid.IntRange(20, 43).Draw(t, "magnitude")
		size := rapid.Int64Range(1<<shift, 2<<shift).Draw(t, "size")
		slots := rapid.IntRange(1, MaxSlots).Draw(t, "slots")
		value := rapid.Int64Range(0, 1<<rapid.IntRange(0, 26).Draw(t, "value's magnitude")).Draw(t, "value")
		sb, err := Geometry{Size: size, Slots: slots, MaxValue: value}.plan()
		if err != nil {
			if room := size - int64(slots)*meterSize; !errors.Is(err, ErrGeometry) || room >= 2<<20 && room/4 > value {
				t.Fatalf("refused: %v", err)
			}
			return
		}
		again, err := Geometry{Size: int64(sb.size), Slots: int(sb.slots), MaxValue: int64(sb.maxValue)}.plan()
		if err != nil || !sb.sameGeometry(again) {
			t.Fatalf("planned again: %+v, %v; first %+v", again, err, sb)
		}
		if sb.size > uint64(size) || uint64(size)-sb.size >= pageSize {
			t.Errorf("a file of %d bytes for %d", sb.size, size)
		}
		if sb.shards == 0 || sb.shards&(sb.shards-1) != 0 || sb.shards > maxShards {
			t.Errorf("%d shards are no power of two, or too many", sb.shards)
		}
		if most := sb.largestValue(); most < uint64(value) {
			t.Errorf("values of up to %d bytes fit, %d were asked for", most, value)
		}
		end := uint64(0)
		for _, part := range []struct {
			name          string
			at, size, rim uint64
		}{
			{"superblock", 0, pageSize, pageSize},
			{"scoreboard", sb.scoreboard, uint64(slots+MasterSlots) * slotSize, cacheLine},
			{"meters", sb.meters, uint64(slots) * meterSize, 2 * cacheLine},
			{"shards", sb.shardsOff, uint64(sb.shards) * sb.shardSize, pageSize},
			{"end", sb.size, 0, pageSize},
		} {
			if part.at < end || part.at%part.rim != 0 {
				t.Errorf("%s begins at %d, the part before ends at %d", part.name, part.at, end)
			}
			end = part.at + part.size
		}
		end = 0
		for _, part := range []struct {
			name          string
			at, size, rim uint64
		}{
			{"header", 0, headerSize, cacheLine},
			{"buckets", headerSize, sb.buckets * 8, 8},
			{"bitmap", sb.bitmapOff, sb.units / 8, 8},
			{"marks", sb.marksOff, sb.units / lineUnits / 8, 8},
			{"units", sb.unitsOff, sb.units * unitSize, lineSize},
			{"next shard", sb.shardSize, 0, pageSize},
		} {
			if part.at < end || part.at%part.rim != 0 {
				t.Errorf("%s of a shard begins at %d, the part before ends at %d", part.name, part.at, end)
			}
			end = part.at + part.size
		}
		if sb.units%bitmapGroup != 0 || sb.units >= 1<<32-1 {
			t.Errorf("%d units in a shard: not whole words of the bitmap and the marks, or too many for a reference", sb.units)
		}
		if sb.buckets == 0 || sb.buckets > 1<<32 {
			t.Errorf("%d buckets in a shard", sb.buckets)
		}
		room := sb.size - sb.shardsOff
		if used := uint64(sb.shards) * (sb.unitsOff + sb.units*unitSize); used < room/10*9 && size > 8<<20 {
			t.Errorf("%d of %d bytes are used", used, room)
		}
	})
}

func TestSmallestLimit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		files  map[string]string
		groups string
		want   uint64
		ok     bool
	}{
		{"no group", nil, "", 0, false},
		{"version 2", map[string]string{"a/memory.max": "1000\n"}, "0::/a\n", 1000, true},
		{"version 2 without a limit", map[string]string{"a/memory.max": "max\n", "memory.max": "max\n"}, "0::/a\n", 0, false},
		{"version 2, a parent's", map[string]string{"a/b/memory.max": "2000\n", "a/memory.max": "1500\n"}, "0::/a/b\n", 1500, true},
		{"version 2, the nearest", map[string]string{"a/b/memory.max": "900\n", "a/memory.max": "max\n"}, "0::/a/b\n", 900, true},
		{"version 2, the own group seen as root", map[string]string{"memory.max": "700\n"}, "0::/outside/x\n", 700, true},
		{"version 2, a nothing", map[string]string{"a/memory.max": "0\n"}, "0::/a\n", 0, true},
		{"version 1", map[string]string{"memory/a/memory.limit_in_bytes": "3000\n"}, "4:memory:/a\n1:cpu:/a\n", 3000, true},
		{"version 1, joined", map[string]string{"memory/a/memory.limit_in_bytes": "3000\n"}, "4:cpu,memory:/a\n", 3000, true},
		{"version 1, another's", map[string]string{"memory/a/memory.limit_in_bytes": "3000\n"}, "4:cpu:/a\n", 0, false},
		{"version 1, a like name", map[string]string{"memory/a/memory.limit_in_bytes": "3000\n"}, "4:hugememory:/a\n", 0, false},
		{"both", map[string]string{"memory/a/memory.limit_in_bytes": "3000\n", "b/memory.max": "2500\n"}, "4:memory:/a\n0::/b\n", 2500, true},
		{"junk", map[string]string{"a/memory.max": "lots\n"}, "junk\n0::/a\n::\n", 0, false},
		{"a colon in the path", map[string]string{"a:b/memory.max": "1000\n"}, "0::/a:b\n", 1000, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			mount := t.TempDir()
			for name, text := range c.files {
				path := filepath.Join(mount, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got, ok := smallestLimit(mount, c.groups); got != c.want || ok != c.ok {
				t.Errorf("%d, %v; want %d, %v", got, ok, c.want, c.ok)
			}
		})
	}
}
