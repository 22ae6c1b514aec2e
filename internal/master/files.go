package master

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fondue-server/fondue/internal/shm"
)

// ValueError tells of a setting that no host could make right. Nothing was
// started, nothing was touched.
type ValueError struct{ reason string }

func (e *ValueError) Error() string { return e.reason }

func valueErrorf(format string, args ...any) error {
	return &ValueError{fmt.Sprintf(format, args...)}
}

// checkFiles looks at what the paths lead to before any of them is opened.
func (c *Config) checkFiles() error {
	if err := c.checkPaths(); err != nil {
		return err
	}
	return c.checkRegion()
}

// checkPaths refuses two paths that lead to one file.
func (c *Config) checkPaths() error {
	log := c.AccessLog
	if log == "-" {
		log = ""
	}
	for _, pair := range [...]struct{ flag, path, other, otherPath string }{
		{"--access-log", log, "--region", c.Region},
		{"--pid-file", c.PIDFile, "--region", c.Region},
		{"--pid-file", c.PIDFile, "--access-log", log},
	} {
		if pair.path != "" && pair.otherPath != "" && sameFile(pair.path, pair.otherPath) {
			return valueErrorf("%s %s: it is the file of %s; name another", pair.flag, pair.path, pair.other)
		}
	}
	return nil
}

// checkRegion refuses what can be no region, and might keep whoever opens it
// waiting.
func (c *Config) checkRegion() error {
	info, err := os.Stat(c.Region)
	if errors.Is(err, fs.ErrNotExist) {
		if target, err := os.Readlink(c.Region); err == nil {
			return fmt.Errorf("--region %s: it is a link to %s, which is not there; remove the link or name the file itself", c.Region, target)
		}
		return nil
	}
	switch {
	case err != nil:
		return fmt.Errorf("--region %s: %w", c.Region, bare(err))
	case info.IsDir():
		return valueErrorf("--region %s: it is a directory; name a file in it, such as %s", c.Region, filepath.Join(c.Region, "fondue.region"))
	case !info.Mode().IsRegular():
		return fmt.Errorf("--region %s: %w but %s; choose another path", c.Region, shm.ErrNotRegion, kind(info.Mode()))
	}
	return nil
}

// sameFile reports whether two paths lead to one file, or would once it is made.
func sameFile(a, b string) bool {
	x, xerr := os.Stat(a)
	y, yerr := os.Stat(b)
	if xerr == nil && yerr == nil {
		return os.SameFile(x, y)
	}
	return resolved(a) == resolved(b)
}

// resolved is the path without links, as far as there is something.
func resolved(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(dir, filepath.Base(path))
	}
	return path
}

// kind names what is not a regular file.
func kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "no regular file"
}

// bare drops the path that a message names already.
func bare(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}
