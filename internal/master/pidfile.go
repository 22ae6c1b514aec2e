package master

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// pidFile is a file that holds this process's pid while it serves. Without a
// path it is none.
type pidFile struct {
	path        string
	predecessor int         // pid of the master that this one takes over from
	draft       string      // complete, but not in place yet
	own         os.FileInfo // what this process put in place
	kept        *os.File    // see keep; nil: it can be removed
}

// prepare writes the file beside its path, so that what can fail does so before
// anything is changed.
func (p *pidFile) prepare() error {
	if p.path == "" {
		return nil
	}
	if err := p.check(); err != nil {
		return p.failed(err)
	}
	f, err := os.CreateTemp(filepath.Dir(p.path), "."+filepath.Base(p.path)+".*")
	if err != nil {
		return p.failed(fmt.Errorf("%w; its directory must be there and writable", bare(err)))
	}
	p.draft = f.Name()
	_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
	if err = errors.Join(err, f.Chmod(0o644)); err == nil {
		p.own, err = f.Stat()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return p.failed(err)
	}
	return nil
}

// place puts the file in place in one step: nobody reads half a number. It may be
// there already.
func (p *pidFile) place() error {
	if p.draft == "" {
		return nil
	}
	if err := p.check(); err != nil {
		return p.failed(err)
	}
	if err := os.Rename(p.draft, p.path); err != nil {
		return p.failed(bare(err))
	}
	p.draft = ""
	return nil
}

// remove removes the file unless somebody else has put another one there.
func (p *pidFile) remove() error {
	if p.draft != "" {
		err := os.Remove(p.draft)
		p.draft = ""
		return err
	}
	if p.own == nil {
		return nil
	}
	now, err := os.Lstat(p.path)
	if p.kept != nil && errors.Is(err, fs.ErrPermission) {
		return p.clear()
	}
	if err != nil || !os.SameFile(p.own, now) {
		return nil
	}
	if pid, err := p.read(); err != nil || pid != os.Getpid() {
		return nil // a number of a file that is gone, given to another
	}
	err = os.Remove(p.path)
	if p.kept != nil && errors.Is(err, fs.ErrPermission) {
		return p.clear()
	}
	return err
}

// keep places the file for a process that is about to lose the right to write to
// its directory. What it cannot remove in the end it empties, which is as good.
func (p *pidFile) keep() (err error) {
	if p.draft == "" {
		return nil
	}
	if p.kept, err = os.OpenFile(p.draft, os.O_WRONLY|unix.O_NOFOLLOW, 0); err != nil {
		return p.failed(bare(err))
	}
	return p.place()
}

// clear empties the file, by the descriptor that keep has opened.
func (p *pidFile) clear() error {
	err := errors.Join(p.kept.Truncate(0), p.kept.Close())
	p.kept, p.own = nil, nil
	return err
}

// check refuses what no server wrote, and a file that belongs to another
// running master. What a process that is gone left is no obstacle.
func (p *pidFile) check() error {
	info, err := os.Lstat(p.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return bare(err)
	case !info.Mode().IsRegular():
		return valueErrorf("it is %s, and would be replaced; name a regular file, or one that is not there yet", kind(info.Mode()))
	}
	pid, err := p.read()
	if err != nil {
		return err
	}
	if pid != 0 && pid != os.Getpid() && pid != p.predecessor && isMaster(pid) {
		return fmt.Errorf("it belongs to the running server with pid %d; choose another file or stop that server", pid)
	}
	return nil
}

// maxPIDFile is more bytes than any pid and the white space around it has.
const maxPIDFile = 64

// read returns 0 for an empty file.
func (p *pidFile) read() (int, error) {
	// A pipe that took the file's place meanwhile must not hold up the start.
	f, err := os.OpenFile(p.path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return 0, bare(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPIDFile))
	if err != nil {
		return 0, bare(err)
	}
	text := strings.TrimSpace(string(b))
	if text == "" && len(b) < maxPIDFile {
		return 0, nil
	}
	pid, err := strconv.Atoi(text)
	if err != nil || pid < 1 || len(b) == maxPIDFile {
		return 0, valueErrorf("it holds something else than a pid, and would be replaced; choose another file, or remove it")
	}
	return pid, nil
}

func (p *pidFile) failed(err error) error { return fmt.Errorf("--pid-file %s: %w", p.path, err) }

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
