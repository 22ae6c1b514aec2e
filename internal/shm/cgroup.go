package shm

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// MemoryLimit is the smallest memory limit in bytes of the control groups that
// this process is in, of either version. ok is false when there is none. A
// region on tmpfs counts towards it.
func MemoryLimit() (limit uint64, ok bool) {
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	return smallestLimit("/sys/fs/cgroup", string(groups))
}

// smallestLimit walks each memory group of a /proc/PID/cgroup up to the root.
// A container often sees its own group as the root: a path that does not exist
// is no error.
func smallestLimit(mount, groups string) (limit uint64, ok bool) {
	for line := range strings.Lines(groups) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		root, file := mount, "memory.max"
		if parts[1] != "" {
			if !strings.Contains(","+parts[1]+",", ",memory,") {
				continue
			}
			root, file = filepath.Join(mount, "memory"), "memory.limit_in_bytes"
		}
		for dir := filepath.Join("/", parts[2]); ; dir = filepath.Dir(dir) {
			if n, err := readLimit(filepath.Join(root, dir, file)); err == nil && (!ok || n < limit) {
				limit, ok = n, true
			}
			if dir == "/" {
				break
			}
		}
	}
	return limit, ok
}

// readLimit fails for "max" too, which is no limit.
func readLimit(path string) (uint64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
}
