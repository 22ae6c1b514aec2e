package master

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// SchedPolicy is one of the kernel's ways to schedule a thread, by the name that
// users know. The empty one is whichever the master has.
type SchedPolicy string

// Policies that workers can have.
const (
	SchedOther SchedPolicy = "other"
	SchedBatch SchedPolicy = "batch"
)

func (p SchedPolicy) number() (uint32, error) {
	switch p {
	case SchedOther:
		return unix.SCHED_NORMAL, nil
	case SchedBatch:
		return unix.SCHED_BATCH, nil
	}
	return 0, fmt.Errorf("scheduling policy %q is not known", p)
}

// take gives the calling thread the policy. Its nice value stays.
func (p SchedPolicy) take() (undo func() error, err error) {
	number, err := p.number()
	if err != nil {
		return nil, err
	}
	before, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return nil, os.NewSyscallError("sched_getattr", err)
	}
	wanted := *before
	wanted.Policy, wanted.Priority = number, 0 // only real-time policies have one
	if err := unix.SchedSetAttr(0, &wanted, 0); err != nil {
		return nil, os.NewSyscallError("sched_setattr", err)
	}
	return func() error { return os.NewSyscallError("sched_setattr", unix.SchedSetAttr(0, before, 0)) }, nil
}

// try tells why workers cannot have the policy, or this process not its own again.
func (p SchedPolicy) try() error {
	if p == "" {
		return nil
	}
	runtime.LockOSThread()
	undo, err := p.take()
	if err == nil {
		if err := undo(); err != nil { // the thread stays with this goroutine
			return fmt.Errorf("--sched-policy %s: the server could not go back to the policy that it has: %w; start it with another one, or leave the flag out", p, err)
		}
	}
	runtime.UnlockOSThread()
	if err != nil {
		return fmt.Errorf("--sched-policy %s: %w; allow it where the server is started, or leave the flag out", p, err)
	}
	return nil
}
