package target

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// stopLimit is what a graceful stop may take, before the processes are killed.
	stopLimit = 10 * time.Second
	// killLimit is what the kernel may take to end those that are killed.
	killLimit = 5 * time.Second
	// stopLook is the distance of two looks at who is there.
	stopLook = 2 * time.Millisecond
)

// stop ends the process gracefully, and at once what is then left of all that it
// started, also of what has left its process group.
func (p *process) stop() error {
	all := family{}
	all.add(p)
	_ = p.cmd.Process.Signal(p.ending) // or it has ended
	var err error
	deadline := time.After(stopLimit)
	for waiting := true; waiting; {
		select {
		case <-p.ended:
			waiting = false
		case <-deadline:
			err = p.failed(fmt.Errorf("it did not stop within %v", stopLimit))
			waiting = false
		case <-time.After(stopLook):
			all.add(p) // who is started while it stops
		}
	}
	// Not reaped yet: the group's number is still this one's.
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	all.kill()
	<-p.ended
	_ = p.cmd.Wait() // its state says nothing beyond err
	return err
}

// family is a process and its descendants, by pid. A handle names a process for
// good, whoever gets its number later; it is made just after the pid was read, and
// the kernel gives a number again only after all others.
type family map[int]*os.Process

func (f family) add(p *process) {
	for _, pid := range descendants(p.cmd.Process.Pid) {
		if known, ok := f[pid]; ok && known.Signal(syscall.Signal(0)) == nil {
			continue
		}
		if handle, err := os.FindProcess(pid); err == nil {
			f[pid] = handle
		}
	}
}

// kill ends all that are left, and waits until they have ended.
func (f family) kill() {
	for pid, handle := range f {
		if handle.Signal(syscall.SIGKILL) != nil { // it has been reaped
			delete(f, pid)
		}
	}
	for deadline := time.Now().Add(killLimit); time.Now().Before(deadline); time.Sleep(stopLook) {
		left := false
		for pid := range f {
			left = left || living(pid)
		}
		if !left {
			return
		}
	}
}

// living says whether a process runs: one that has ended and is not reaped does not.
func living(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	state := text[bytes.LastIndexByte(text, ')')+1:] // a name may have parentheses, too
	return !bytes.HasPrefix(state, []byte(" Z")) && !bytes.HasPrefix(state, []byte(" X"))
}

// pids are the process and its descendants.
func (p *process) pids() ([]int, error) {
	select {
	case <-p.ended:
		return nil, p.failed(errEnded)
	default:
		return descendants(p.cmd.Process.Pid), nil
	}
}

// descendants are a process and those below it, parents first.
func descendants(pid int) []int {
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, childrenOf(all[i])...)
	}
	return all
}

// childrenOf are those of every thread: each may have started some. Threads and
// processes that end meanwhile have none.
func childrenOf(pid int) (children []int) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // the pattern is a good one
	for _, t := range threads {
		text, err := os.ReadFile(t)
		if err != nil {
			continue
		}
		for field := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				children = append(children, child)
			}
		}
	}
	return children
}
