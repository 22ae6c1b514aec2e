package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Create makes a new region at path, readable and writable by its owner alone,
// with every page of it reserved, so that a full file system is an error here
// and not a SIGBUS later. The file gets its name when it is complete: a death
// before that leaves nothing, and nobody ever sees half a region.
//
// Errors: ErrGeometry, ErrTooLarge, ErrNoSpace, ErrExists.
func Create(path string, g Geometry) (*Region, error) {
	sb, err := g.plan()
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("%s: %w", path, ErrExists)
	}
	if limit, ok := MemoryLimit(); ok && sb.size > limit {
		return nil, fmt.Errorf("%w: %d bytes, the control group allows %d", ErrTooLarge, sb.size, limit)
	}
	f, err := unnamed(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	if err := furnish(f, sb, filepath.Dir(path)); err != nil {
		f.Close()
		return nil, err
	}
	r, err := openFile(f, path, unix.PROT_READ|unix.PROT_WRITE)
	if err != nil {
		return nil, err
	}
	if err := link(f, path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			err = ErrExists
		}
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), r.Close())
	}
	return r, nil
}

// unnamed opens a file in dir that has no name yet.
func unnamed(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, &fs.PathError{Op: "create a region in", Path: dir, Err: err}
	}
	return os.NewFile(uintptr(fd), dir), nil
}

// furnish reserves the file and writes its superblock. All other parts begin as zero.
func furnish(f *os.File, sb superblock, dir string) error {
	var free unix.Statfs_t
	// A tmpfs without a limit shows no blocks at all.
	if err := unix.Fstatfs(int(f.Fd()), &free); err == nil && free.Blocks > 0 && sb.size > free.Bavail*uint64(free.Bsize) {
		return fmt.Errorf("%w: %d bytes wanted, %s has %d free", ErrNoSpace, sb.size, dir, free.Bavail*uint64(free.Bsize))
	}
	if err := f.Chmod(0o600); err != nil { // whatever the umask says
		return err
	}
	switch err := reserve(f, int64(sb.size)); {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EFBIG):
		return fmt.Errorf("%w: %d bytes wanted in %s", ErrNoSpace, sb.size, dir)
	case errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("the file system of %s cannot reserve space; put the region on tmpfs, such as /dev/shm", dir)
	case err != nil:
		return fmt.Errorf("reserve %d bytes in %s: %w", sb.size, dir, err)
	}
	bytes, err := unix.Mmap(int(f.Fd()), 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map: %w", err)
	}
	return errors.Join(memoryOf(bytes).seal(sb), unix.Munmap(bytes))
}

// reserve allocates the whole file; a signal may interrupt that.
func reserve(f *os.File, size int64) error {
	for {
		if err := unix.Fallocate(int(f.Fd()), 0, 0, size); err != unix.EINTR {
			return err
		}
	}
}

// link names an unnamed file, unless the name is taken.
func link(f *os.File, path string) error {
	from := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	return unix.Linkat(unix.AT_FDCWD, from, unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
}
