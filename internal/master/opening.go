package master

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/listen"
	"github.com/fondue-server/fondue/internal/logging"
	"github.com/fondue-server/fondue/internal/shm"
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
		return 0, fmt.Errorf("%w; name a file that this user may write", withoutPath(err))
	}
	defer f.Close()
	return unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
}

// withoutPath is what the system said: the caller names the path.
func withoutPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
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

func (m *Master) openListeners() error {
	m.undo = append(m.undo, m.closeListeners)
	orphans := vigil{region: m.cfg.Region, log: m.cfg.Log, pause: m.pause}
	specs := m.unopened()
	inherited := make([]*listen.Listener, len(specs))
	for i, spec := range specs {
		l, err := m.inheritListener(spec)
		if err != nil {
			return err
		}
		if l != nil {
			inherited[i] = l
			m.listeners = append(m.listeners, l)
		}
	}
	for i, spec := range specs {
		if inherited[i] != nil {
			continue
		}
		l, err := listen.Open(spec, m.seats(), m.cfg.Accept)
		if errors.Is(err, listen.ErrInUse) {
			if other := m.listenerOf(spec); other != "" {
				return valueErrorf("--listen %s: it is the address of --listen %s in another spelling; give one of them", spec, other)
			}
		}
		for errors.Is(err, listen.ErrInUse) && isAbandoned(m.cfg.Region) {
			again, stopped := orphans.wait(err)
			if stopped != nil {
				return stopped
			}
			if !again {
				break
			}
			l, err = listen.Open(spec, m.seats(), m.cfg.Accept)
		}
		if err != nil {
			return err
		}
		m.listeners = append(m.listeners, l)
	}
	return m.closeUnserved()
}

// listenerOf returns what was given for the listener that has the address
// already, "" if none of this server's has.
func (m *Master) listenerOf(spec listen.Spec) string {
	for _, l := range m.listeners {
		if l.Covers(spec) {
			return l.Spec().String()
		}
	}
	return ""
}

// isAbandoned reports whether a master was killed over the region and none has
// followed: its workers may hold the addresses until they have left. It goes by
// pids, which prove nothing; here they only decide whether to wait.
func isAbandoned(path string) bool {
	region, err := shm.OpenReadOnly(path)
	if err != nil {
		return false
	}
	defer region.Close()
	slots := region.Slots()
	for _, s := range slots {
		if s.Master && s.PID != os.Getpid() && !errors.Is(unix.Kill(s.PID, 0), unix.ESRCH) {
			return false
		}
	}
	return len(slots) > 0
}

func (m *Master) closeListeners() error {
	var all error
	for _, l := range m.listeners {
		all = errors.Join(all, l.Close())
	}
	m.listeners = nil
	return all
}

func (m *Master) closeDoors() error {
	var all error
	for _, l := range m.listeners {
		all = errors.Join(all, l.CloseDoor())
	}
	return all
}

func (m *Master) resizeListeners(sockets int) error {
	var all error
	for _, l := range m.listeners {
		all = errors.Join(all, l.Resize(sockets))
	}
	return all
}

// socketsOf are the sockets that the seat's worker alone accepts from.
func (m *Master) socketsOf(s *seat) (sockets []int) {
	for _, l := range m.listeners {
		if !l.IsShared() {
			sockets = append(sockets, l.FD(s.number))
		}
	}
	return sockets
}

func (m *Master) queued(s *seat) (connections int) {
	for _, l := range m.listeners {
		if !l.IsShared() {
			connections += l.Queued(s.number)
		}
	}
	return connections
}

func (m *Master) steer(live []bool) error {
	var all error
	for _, l := range m.listeners {
		all = errors.Join(all, l.Steer(live))
	}
	return all
}

func (m *Master) settler() *settler {
	return &settler{
		cfg: &m.cfg, log: m.cfg.Log, pause: m.pause,
		inUse: "--join shares it, or choose another path with --region",
		small: "start with --fresh and this --max-value to make another region",
	}
}

func (m *Master) settle() (err error) {
	s := m.settler()
	if m.tenancy, err = s.settle(); err == nil {
		m.undo = append(m.undo, func() error { return m.tenancy.undo() }) // of the one that it is then
	}
	return err
}
