package master

import (
	"errors"
	"fmt"
	"os"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/logging"
	"golang.org/x/sys/unix"
)

func (m *Master) openAccessLog() (err error) {
	m.accessLog, err = openAccess(m.cfg.AccessLog)
	return err
}

// openAccess returns the descriptor of an access log, or handoff.None.
func openAccess(log string) (fd int, err error) {
	switch log {
	case "":
		return handoff.None, nil
	case "-":
		return unix.Stdout, nil
	}
	if fd, err = openAccessFile(log); err != nil {
		return handoff.None, fmt.Errorf("--access-log %s: %w", log, err)
	}
	return fd, nil
}

// openAccessFile opens the file that the workers write their lines into.
func openAccessFile(path string) (fd int, err error) {
	f, err := logging.OpenToAppend(path)
	switch {
	case errors.Is(err, logging.ErrNoReader):
		return 0, err
	case errors.Is(err, unix.EISDIR):
		return 0, valueErrorf("it is a directory; name a file in it")
	case errors.Is(err, unix.ENOENT):
		return 0, fmt.Errorf("%w; make its directory or name another file", unix.ENOENT)
	case err != nil:
		return 0, fmt.Errorf("%w; name a file that this user may write", bare(err))
	}
	defer f.Close()
	return unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
}

// reopenAccessLog opens the file at the path anew, under the descriptor that it
// has: whoever is started from here on writes there.
func (m *Master) reopenAccessLog() error {
	if m.accessLog == handoff.None || m.accessLog == unix.Stdout {
		return nil
	}
	fd, err := openAccessFile(m.cfg.AccessLog)
	if err != nil {
		return fmt.Errorf("--access-log %s: %w", m.cfg.AccessLog, err)
	}
	defer unix.Close(fd)
	return os.NewSyscallError("dup3", unix.Dup3(fd, m.accessLog, unix.O_CLOEXEC))
}
