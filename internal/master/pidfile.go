package master

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// pidFile names a file that holds this process's pid while it serves.
type pidFile string

// check refuses a file that belongs to another running master. What a process
// that is gone left is no obstacle.
func (p pidFile) check() error {
	pid, err := p.read()
	if err != nil {
		return err
	}
	if pid != 0 && pid != os.Getpid() && isMaster(pid) {
		return fmt.Errorf("pid file %s belongs to the running server with pid %d; choose another file or stop that server", string(p), pid)
	}
	return nil
}

// read returns 0 for a file that is not there or holds no pid.
func (p pidFile) read() (int, error) {
	if p == "" {
		return 0, nil
	}
	b, err := os.ReadFile(string(p))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("pid file: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid < 0 {
		return 0, nil
	}
	return pid, nil
}

// isMaster reports whether the process runs this program, and not as a worker.
func isMaster(pid int) bool {
	own, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return false
	}
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	exe, err := os.Readlink(filepath.Join(dir, "exe"))
	if err != nil || strings.TrimSuffix(exe, " (deleted)") != strings.TrimSuffix(own, " (deleted)") {
		return false
	}
	name, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	return err == nil && !strings.HasPrefix(string(name), workerName)
}

// write puts the pid in place in one step: nobody reads half a number.
func (p pidFile) write() error {
	if p == "" {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(string(p)), "."+filepath.Base(string(p))+".*")
	if err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), string(p))
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("pid file: %w", err)
	}
	return nil
}

// remove removes the file unless another process has written its own.
func (p pidFile) remove() error {
	pid, err := p.read()
	if err != nil || pid != os.Getpid() {
		return err
	}
	return os.Remove(string(p))
}
