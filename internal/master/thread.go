package master

import (
	"runtime"

	"github.com/fondue-server/fondue/internal/handoff"
)

// change alters the calling thread. On an error nothing is altered.
type change func() (undo func() error, err error)

// changesFor make a thread what the worker is to be in every thread.
func changesFor(w handoff.Worker) (changes []change) {
	if len(w.CPUs) > 0 {
		changes = append(changes, bind(w.CPUs))
	}
	if w.SchedPolicy != "" {
		changes = append(changes, SchedPolicy(w.SchedPolicy).take)
	}
	return changes
}

// onThread calls start on a thread that is changed: a process that is started
// there is as it is from its first instruction on, in every thread. With no change,
// start is only called.
func onThread(changes []change, start func() error) error {
	if len(changes) == 0 {
		return start()
	}
	runtime.LockOSThread()
	whole := true
	// Where a change cannot be undone the thread stays with the goroutine that made
	// it, and other goroutines, and threads made for them, are as before.
	defer func() {
		if whole {
			runtime.UnlockOSThread()
		}
	}()
	for _, change := range changes {
		undo, err := change()
		if err != nil {
			return err
		}
		defer func() { whole = undo() == nil && whole }()
	}
	return start()
}
