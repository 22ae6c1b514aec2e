package shm

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Region is a process's handle on a mapped region. All its methods may be
// called from any goroutine; none may be called after Close.
type Region struct {
	file   *os.File // nil for a region on the heap
	life   *os.File // a master's: holds its locks; see life.go
	bytes  []byte
	mem    memory
	sb     superblock // as validated when opened; the mapped one is not read again
	shards []shard
	shift  uint // hash >> shift is the shard
	path   string
	heap   []uint64      // keeps a heap region's memory
	clock  func() uint64 // ms; tests hand in their own
	handed sync.Once     // the shards' hands were set

	onlook    sync.Once // onlooker was opened
	onlooker  *os.File  // holds no lock; see Alive
	onlookErr error

	readOnly  bool
	otherBoot bool
}

// Info describes a region.
type Info struct {
	Path      string
	Size      int64 // bytes
	Slots     int   // worker slots
	Shards    int
	Instance  uint64 // drawn at creation: two regions never share it
	CreatedAt time.Time
	// LargestValue is the most bytes that one value can have in an empty shard.
	LargestValue int64
	OtherBoot    bool // written before the last reboot; only OpenReadOnly opens such a one
}

// newRegion makes the handle on validated memory.
func newRegion(file *os.File, path string, bytes []byte, sb superblock) *Region {
	r := &Region{file: file, path: path, bytes: bytes, mem: memoryOf(bytes), sb: sb, clock: now}
	r.shards = make([]shard, sb.shards)
	for i := range r.shards {
		r.shards[i] = newShard(r.mem, &r.sb, i)
	}
	r.shift = shardShift(sb.shards)
	return r
}

// shardShift leaves of a hash the bits that pick one of shards.
func shardShift(shards uint32) uint { return 64 - uint(bits.TrailingZeros32(shards)) }

// Info returns what was fixed at creation.
func (r *Region) Info() Info {
	return Info{
		Path:      r.path,
		Size:      int64(r.sb.size),
		Slots:     int(r.sb.slots),
		Shards:    int(r.sb.shards),
		Instance:  r.sb.instance,
		CreatedAt: time.Unix(0, r.sb.createdAt),
		OtherBoot: r.otherBoot,

		LargestValue: int64(r.sb.largestValue()),
	}
}

// File is the region's descriptor, for workers to inherit. It stays the region's.
func (r *Region) File() *os.File { return r.file }

// Close unmaps the region. Its content stays in the file.
func (r *Region) Close() error {
	if r.file == nil {
		return nil
	}
	err := errors.Join(unix.Munmap(r.bytes), r.file.Close())
	if r.life != nil {
		err = errors.Join(err, r.life.Close())
	}
	if r.onlooker != nil {
		err = errors.Join(err, r.onlooker.Close())
	}
	return err
}

// NewHeap makes a region in this process's own memory, for tests: the race
// detector sees it, and several Stores on it behave as several processes.
func NewHeap(g Geometry) (*Region, error) {
	sb, err := g.plan()
	if err != nil {
		return nil, err
	}
	words := make([]uint64, sb.size/8)
	bytes := bytesOf(words)
	if err := memoryOf(bytes).seal(sb); err != nil {
		return nil, err
	}
	r := newRegion(nil, "heap", bytes, *memoryOf(bytes).superblock())
	r.heap = words
	return r, nil
}

// Open maps the region at path for reading and writing. The file is not
// changed. Errors: fs.ErrNotExist, ErrNotPrivate, ErrNotRegion, ErrDamaged,
// ErrVersion, ErrTruncated, ErrOtherBoot.
func Open(path string) (*Region, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.EISDIR) {
		return nil, fmt.Errorf("%s: %w: it is a directory", path, ErrNotRegion)
	}
	if err != nil {
		return nil, err
	}
	return openFile(f, path, unix.PROT_READ|unix.PROT_WRITE)
}

// OpenReadOnly maps the region at path so that not a byte of it can be
// changed; one of another boot is accepted, to be looked at.
func OpenReadOnly(path string) (*Region, error) {
	// Non-blocking, or a FIFO would keep us until somebody writes to it.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return openFile(f, path, unix.PROT_READ)
}

// Inherit maps the region behind a descriptor that the master left open. It
// opens the file anew: the lock that proves this process's life must be on an
// open file description that nobody else has. f is closed.
func Inherit(f *os.File) (*Region, error) {
	defer f.Close()
	path := f.Name()
	own, err := reopen(f)
	if err != nil {
		return nil, err
	}
	return openFile(own, path, unix.PROT_READ|unix.PROT_WRITE)
}

// reopen makes another open file description of the same file, even if the
// file has no name any more.
func reopen(f *os.File) (*os.File, error) {
	return os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), os.O_RDWR, 0)
}

// openFile maps f, and closes it on error.
func openFile(f *os.File, path string, prot int) (*Region, error) {
	r, err := mapFile(f, path, prot)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// private refuses a file that somebody else may write to: the directory of a
// region is often everybody's, and whoever got there first must not own what
// this process counts on.
func private(info os.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: it belongs to user %d, this process is user %d", ErrNotPrivate, st.Uid, os.Geteuid())
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return fmt.Errorf("%w: its mode is %04o, not 0600", ErrNotPrivate, perm)
	}
	return nil
}

func mapFile(f *os.File, path string, prot int) (*Region, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: not a regular file", ErrNotRegion)
	}
	if err := private(info); err != nil && prot&unix.PROT_WRITE != 0 {
		return nil, err
	}
	page := make([]byte, min(info.Size(), pageSize))
	if _, err := f.ReadAt(page, 0); err != nil {
		return nil, err
	}
	sb, err := validate(page, info.Size())
	if err != nil {
		return nil, err
	}
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	if prot&unix.PROT_WRITE != 0 && sb.bootID != boot {
		return nil, ErrOtherBoot
	}
	bytes, err := unix.Mmap(int(f.Fd()), 0, int(sb.size), prot, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map: %w", err)
	}
	r := newRegion(f, path, bytes, sb)
	r.readOnly = prot&unix.PROT_WRITE == 0
	r.otherBoot = sb.bootID != boot
	return r, nil
}
