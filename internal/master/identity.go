package master

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/fondue-server/fondue/internal/handoff"
	"golang.org/x/sys/unix"
)

// Identity is a user that the server becomes once it has its sockets and files.
type Identity struct {
	Name     string // as it was given
	UID, GID int
	Groups   []int // supplementary
}

// becomeUser gives up root's rights for good: master and workers are the user
// from here on, and the region is made by it. What only root can do comes before.
func (m *Master) becomeUser() error {
	id := m.cfg.User
	switch {
	case id == nil:
		return nil
	case id.UID == os.Geteuid() && id.GID == os.Getegid():
		return nil
	case m.lender != nil:
		// Its files, above all the pid file, are not this server's to give away.
		return valueErrorf("--user %s: the running server is another user or group, which can change at a restart only", id.Name)
	case os.Geteuid() != 0:
		return fmt.Errorf("--user %s: only root may become another user or group; start the server as root, or as that user without --user and --group", id.Name)
	case id.UID == 0:
		return valueErrorf("--user %s: root could take the group back; name another user, or leave --group out", id.Name)
	}
	for _, step := range []func() error{m.giveAway, id.assume, mayStartWorkers} {
		if err := step(); err != nil {
			return fmt.Errorf("--user %s: %w", id.Name, err)
		}
	}
	m.cfg.Log.Info("root's rights are given up", "user", id.Name, "uid", id.UID, "gid", id.GID)
	return nil
}

// giveAway prepares what the user could not: sockets for as many workers as there
// may be, its ownership of socket files and of a new access log, and the pid file
// in a directory that may be root's.
func (m *Master) giveAway() error {
	for _, l := range m.listeners {
		if err := errors.Join(l.Reserve(m.cfg.MaxWorkers), l.GiveTo(m.cfg.User.UID, m.cfg.User.GID)); err != nil {
			return err
		}
	}
	return errors.Join(m.giveAccessLog(), m.pidFile.keep())
}

// giveAccessLog makes an access log that root has made just now the user's, which
// opens it again by its name. One that has lines in it is as its owner wants it.
func (m *Master) giveAccessLog() error {
	if m.accessLog == handoff.None || m.accessLog == unix.Stdout {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(m.accessLog, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Uid != 0 || st.Size > 0 {
		return nil
	}
	return os.NewSyscallError("fchown", unix.Fchown(m.accessLog, m.cfg.User.UID, m.cfg.User.GID))
}

// assume makes every thread of the process the user's. The groups come first: they
// are root's to change.
func (id *Identity) assume() error {
	for _, step := range []struct {
		call string
		err  func() error
	}{
		{"setgroups", func() error { return syscall.Setgroups(id.Groups) }},
		{"setgid", func() error { return syscall.Setgid(id.GID) }},
		{"setuid", func() error { return syscall.Setuid(id.UID) }},
	} {
		if err := step.err(); err != nil {
			return fmt.Errorf("%w; it needs CAP_SETUID and CAP_SETGID", os.NewSyscallError(step.call, err))
		}
	}
	if syscall.Setuid(0) == nil || id.GID != 0 && syscall.Setgid(0) == nil {
		return errors.New("root's rights can be taken back: the process has capabilities that outlast setuid; start it without them")
	}
	// Linux hides such a process from its own user: the next server could not see
	// whose the pid file is, and there would be no core dump.
	return os.NewSyscallError("prctl", unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0))
}

// mayStartWorkers finds out now what would fail with the first worker.
func mayStartWorkers() error {
	const self = "/proc/self/exe"
	if err := unix.Access(self, unix.X_OK); err != nil {
		path, _ := os.Readlink(self)
		return fmt.Errorf("it may not run %s: %w; make the file executable for all (chmod 755)", path, err)
	}
	return nil
}
