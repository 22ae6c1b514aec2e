package master

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/fondue-server/fondue/internal/handoff"
	"golang.org/x/sys/unix"
)

// workerName begins what ps shows for a worker; its slot follows.
const workerName = "fondue: worker "

// processes is the operating system as the master uses it. It is called from
// the master's goroutine only.
type processes interface {
	// spawn starts a worker that inherits the descriptors, which are the
	// caller's own numbers, in this order from handoff.FirstFD on, and after them
	// its lifeline and its ready pipe, whose numbers it adds to w. The descriptors
	// stay open here. The caller closes ready.
	spawn(w handoff.Worker, descriptors []int) (pid int, ready io.ReadCloser, err error)
	// spawnHeir starts a program as the heir of this process, which inherits the
	// descriptors in this order from handoff.FirstFD on, and after them its end of
	// the channel, whose number it adds to u. The caller closes the channel.
	spawnHeir(command []string, u handoff.Upgrade, descriptors []int) (pid int, channel heirChannel, err error)
	// reap collects every process that ended since the last call.
	reap() []exit
	kill(pid int, sig syscall.Signal) error
	// hand sends sockets down a worker's lifeline.
	hand(pid int, sockets []int) error
	// tell sends a message of handoff down a worker's lifeline.
	tell(pid int, message byte) error
	// memory is what a worker has resident that is not shared, in bytes; 0 where
	// that is not known.
	memory(pid int) uint64
}

// exit is the end of one worker.
type exit struct {
	pid    int
	status syscall.WaitStatus
}

// String says how the worker ended.
func (e exit) String() string {
	switch {
	case e.status.Signaled() && e.status.CoreDump():
		return fmt.Sprintf("%s, core dumped", unix.SignalName(e.status.Signal()))
	case e.status.Signaled():
		return unix.SignalName(e.status.Signal())
	}
	return fmt.Sprintf("exit code %d", e.status.ExitStatus())
}

// hostProcesses are the real ones.
type hostProcesses struct {
	environ  []string // of a worker
	inherit  []string // of an heir
	null     *os.File
	children map[int]int // started and not reaped, each with this end of its lifeline, or handoff.None
	init     bool        // pid 1: orphans of the whole container come here
}

// managerVariables are between the service manager and the master.
var managerVariables = []string{"NOTIFY_SOCKET", "WATCHDOG_USEC"}

// ownVariables are meant for one process alone: a pid may come again.
var ownVariables = []string{handoff.UpgradeEnv, "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"}

// without is the environment less some variables.
func without(environ, names []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		return slices.Contains(names, name)
	})
}

// newHostProcesses starts workers with the given environment.
func newHostProcesses(environ []string) (*hostProcesses, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	inherit := without(environ, ownVariables)
	return &hostProcesses{
		environ: without(inherit, managerVariables), inherit: inherit,
		null: null, children: map[int]int{}, init: os.Getpid() == 1,
	}, nil
}

// close lets go of what is left: workers that were not reaped hear that this
// process is gone.
func (h *hostProcesses) close() error {
	for pid := range h.children {
		h.forget(pid)
	}
	return h.null.Close()
}

func (h *hostProcesses) spawn(w handoff.Worker, descriptors []int) (pid int, ready io.ReadCloser, err error) {
	ready, theirs, err := os.Pipe()
	if err != nil {
		return 0, nil, err
	}
	// The end of file that tells of a death, there or here, needs these closed.
	defer theirs.Close()
	line, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		ready.Close()
		return 0, nil, os.NewSyscallError("socketpair", err)
	}
	defer unix.Close(line[1])
	w.LifelineFD = handoff.FirstFD + len(descriptors)
	w.ReadyFD = w.LifelineFD + 1
	files := []uintptr{h.null.Fd(), uintptr(syscall.Stdout), uintptr(syscall.Stderr)}
	for _, fd := range append(slices.Clip(descriptors), line[1]) {
		files = append(files, uintptr(fd))
	}
	files = append(files, theirs.Fd())
	text, err := w.Encode()
	if err == nil {
		// The running binary, even if its file was replaced meanwhile. os/exec
		// would wrap the sockets in os.File, see package listen.
		err = onThread(changesFor(w), func() (err error) {
			pid, err = syscall.ForkExec("/proc/self/exe", []string{fmt.Sprintf("%s%d", workerName, w.Slot)}, &syscall.ProcAttr{
				Env:   append(slices.Clip(h.environ), handoff.Env+"="+text),
				Files: files,
				// Ctrl-C on a terminal reaches the master alone.
				Sys: &syscall.SysProcAttr{Setpgid: true},
			})
			return err
		})
	}
	if err != nil {
		ready.Close()
		unix.Close(line[0])
		return 0, nil, fmt.Errorf("start /proc/self/exe: %w", err)
	}
	h.children[pid] = line[0]
	return pid, ready, nil
}

func (h *hostProcesses) spawnHeir(command []string, u handoff.Upgrade, descriptors []int) (pid int, channel heirChannel, err error) {
	if len(command) == 0 {
		return 0, nil, errors.New("the path that this program was started by is not known")
	}
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, os.NewSyscallError("socketpair", err)
	}
	own := os.NewFile(uintptr(ends[0]), "upgrade channel")
	defer own.Close()
	defer unix.Close(ends[1]) // the end of file that tells of the heir's death needs it
	conn, err := net.FileConn(own)
	if err != nil {
		return 0, nil, err
	}
	channel, is := conn.(*net.UnixConn)
	if !is {
		return 0, nil, errors.Join(fmt.Errorf("upgrade channel: a %T", conn), conn.Close())
	}
	u.ChannelFD = handoff.FirstFD + len(descriptors)
	files := []uintptr{h.null.Fd(), uintptr(syscall.Stdout), uintptr(syscall.Stderr)}
	for _, fd := range append(slices.Clip(descriptors), ends[1]) {
		files = append(files, uintptr(fd))
	}
	text, err := u.Encode()
	if err == nil {
		pid, err = syscall.ForkExec(command[0], command, &syscall.ProcAttr{
			Env:   append(slices.Clip(h.inherit), handoff.UpgradeEnv+"="+text),
			Files: files,
		})
	}
	if err != nil {
		channel.Close()
		return 0, nil, fmt.Errorf("start %s: %w", command[0], err)
	}
	h.children[pid] = handoff.None
	return pid, channel, nil
}

func (h *hostProcesses) reap() []exit {
	var ended []exit
	for pid := range h.children {
		if got, status := waitNoHang(pid); got == pid {
			h.forget(pid)
			ended = append(ended, exit{pid, status})
		}
	}
	if h.init {
		ended = append(ended, h.reapAny()...)
	}
	return ended
}

// reapAny also removes the zombies that a container's pid 1 inherits, which are
// nobody's news. Nothing in the master waits for a process elsewhere.
func (h *hostProcesses) reapAny() []exit {
	var ended []exit
	for {
		pid, status := waitNoHang(-1)
		switch {
		case pid <= 0:
			return ended
		case h.isChild(pid):
			h.forget(pid)
			ended = append(ended, exit{pid, status})
		}
	}
}

func (h *hostProcesses) isChild(pid int) bool {
	_, is := h.children[pid]
	return is
}

// forget is for a child that was reaped.
func (h *hostProcesses) forget(pid int) {
	if line := h.children[pid]; line != handoff.None {
		unix.Close(line)
	}
	delete(h.children, pid)
}

func (h *hostProcesses) hand(pid int, sockets []int) error {
	return h.send(pid, handoff.LifelineSockets, unix.UnixRights(sockets...))
}

func (h *hostProcesses) tell(pid int, message byte) error { return h.send(pid, message, nil) }

// send does not wait: a worker that does not read hangs.
func (h *hostProcesses) send(pid int, message byte, rights []byte) error {
	line, is := h.children[pid]
	if !is || line == handoff.None {
		return syscall.ESRCH
	}
	return unix.Sendmsg(line, []byte{message}, rights, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
}

func (h *hostProcesses) kill(pid int, sig syscall.Signal) error {
	if !h.isChild(pid) {
		return syscall.ESRCH // reaped: the number may be another process by now
	}
	return syscall.Kill(pid, sig)
}

// waitNoHang collects a child that has ended, any for -1. The pid is 0 when
// there is none.
func waitNoHang(child int) (pid int, status syscall.WaitStatus) {
	for {
		pid, err := syscall.Wait4(child, &status, syscall.WNOHANG, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return 0, 0
		default:
			return pid, status
		}
	}
}

func (h *hostProcesses) memory(pid int) uint64 {
	if !h.isChild(pid) {
		return 0
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	var size, resident, shared uint64 // pages
	if _, err := fmt.Sscan(string(b), &size, &resident, &shared); err != nil || shared > resident {
		return 0
	}
	return (resident - shared) * uint64(os.Getpagesize())
}
