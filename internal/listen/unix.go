package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// socketMode lets the owner and the group connect: a front server such as
// nginx usually runs as another user of a common group.
const socketMode = 0o660

// fileID tells the socket file that this process made from one that another
// server put in its place.
type fileID struct{ dev, ino uint64 }

// openUnix binds a socket file. A file that nobody listens behind is what a
// killed server left, and is replaced.
func openUnix(spec Spec) (*Listener, error) {
	l := &Listener{spec: spec, shared: true, text: spec.Addr}
	if err := removeStale(spec.Addr); err != nil {
		return nil, l.failed(err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, l.failed(os.NewSyscallError("socket", err))
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: spec.Addr}); err != nil {
		unix.Close(fd)
		if errors.Is(err, unix.ENOENT) {
			return nil, l.failed(fmt.Errorf("%w; make the directory %s or choose another path", err, filepath.Dir(spec.Addr)))
		}
		return nil, l.failed(os.NewSyscallError("bind", err))
	}
	l.fds = []int{fd}
	if l.path, err = identify(spec.Addr); err == nil {
		err = os.Chmod(spec.Addr, socketMode)
	}
	// Nobody can connect before this, so that the mode is right from the first
	// connection on.
	if err == nil {
		err = os.NewSyscallError("listen", unix.Listen(fd, backlog()))
	}
	if err != nil {
		l.Close()
		return nil, l.failed(err)
	}
	return l, nil
}

// removeStale removes the socket file at path if connecting to it is refused.
func removeStale(path string) error {
	found, err := identify(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("the path has a file that is no socket; it was not touched, choose another path")
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	switch err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); {
	case errors.Is(err, unix.ECONNREFUSED):
		return found.remove(path)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil, errors.Is(err, unix.EAGAIN): // EAGAIN: its queue is full
		return unix.EADDRINUSE
	default:
		return os.NewSyscallError("connect", err)
	}
}

func identify(path string) (fileID, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return fileID{}, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return fileID{dev: uint64(st.Dev), ino: st.Ino}, nil
}

// remove removes the file at path if it is still the same one.
func (id fileID) remove(path string) error {
	now, err := identify(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && now != id {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Remove(path)
}

// withdraw removes the socket's path, so that nobody finds it. Where that is not
// permitted, because the directory is another user's, whoever finds it is refused,
// as behind what a killed server left; the next start replaces it.
func (l *Listener) withdraw() error {
	err := l.path.remove(l.spec.Addr)
	if errors.Is(err, fs.ErrPermission) {
		return CloseDoor(l.fds[0])
	}
	return err
}

// GiveTo makes the user the owner of a Unix socket's file, who may then remove it
// and may have to connect. The file of a socket that is lent is not ours to give.
func (l *Listener) GiveTo(uid, gid int) error {
	if l.spec.Network != Unix || l.lent {
		return nil
	}
	// By descriptor: what somebody puts in the path's place keeps its owner.
	fd, err := unix.Open(l.spec.Addr, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return l.failed(err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return l.failed(os.NewSyscallError("fstat", err))
	}
	if (fileID{dev: uint64(st.Dev), ino: st.Ino}) != l.path {
		return l.failed(errors.New("the socket's file was replaced meanwhile; is another server being started?"))
	}
	if err := unix.Fchownat(fd, "", uid, gid, unix.AT_EMPTY_PATH); err != nil {
		return l.failed(os.NewSyscallError("fchownat", err))
	}
	return nil
}
