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
	if err := fill(f, sb, filepath.Dir(path)); err != nil {
		f.Close()
		return nil, err
	}
	if err := link(f, path); err != nil {
		f.Close()
		if errors.Is(err, fs.ErrExist) {
			err = ErrExists
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return openFile(f, path, unix.PROT_READ|unix.PROT_WRITE)
}

// unnamed opens a file in dir that has no name yet.
func unnamed(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, &fs.PathError{Op: "create a region in", Path: dir, Err: err}
	}
	return os.NewFile(uintptr(fd), dir), nil
}

// fill reserves the file and writes its superblock. All other parts begin as zero.
func fill(f *os.File, sb superblock, dir string) error {
	var free unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &free); err == nil && sb.size > free.Bavail*uint64(free.Bsize) {
		return fmt.Errorf("%w: %d bytes wanted, %s has %d free", ErrNoSpace, sb.size, dir, free.Bavail*uint64(free.Bsize))
	}
	switch err := unix.Fallocate(int(f.Fd()), 0, 0, int64(sb.size)); {
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

// link names an unnamed file, unless the name is taken.
func link(f *os.File, path string) error {
	from := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	return unix.Linkat(unix.AT_FDCWD, from, unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
}
