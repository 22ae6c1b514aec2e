package master

import (
	"syscall"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/shm"
)

// phase is what a worker is doing, as far as the master knows.
type phase int

const (
	booting phase = iota // started, no ready message yet; killed at worker.due
	serving              // said that it is ready
	leaving              // was sent SIGTERM; killed at worker.due
	hanging              // was sent SIGQUIT; killed at worker.due
	gone                 // reaped
)

// worker is the master's half of one process, from its start to its end. It is
// in its seat, or has left it and finishes what it has.
type worker struct {
	seat  *seat
	id    shm.ID
	pid   int
	phase phase
	due   time.Time // when the master loses patience
	// stop ends the watch on the ready pipe.
	stop func()

	startedAt    time.Time
	requests     uint64 // of its slot when it was started
	mostRequests uint64 // after which it is replaced; 0: any number

	pulse     pulse
	condemned string // why the master killed it; "" = it did not
	reason    string // what it said when it could not boot
}

// cause sorts the end of a worker by what may be expected of the next one.
type cause int

const (
	external   cause = iota // somebody killed it or asked it to leave
	fault                   // it failed
	cannotBoot              // it says that the next one will fail, too
)

func (w *worker) causeOf(status syscall.WaitStatus) cause {
	switch {
	case w.condemned != "" || w.phase == booting && !status.Signaled() && status.ExitStatus() != handoff.ExitCannotBoot:
		return fault
	case status.Signaled() && (status.Signal() == syscall.SIGKILL || status.Signal() == syscall.SIGTERM):
		return external
	case status.Exited() && status.ExitStatus() == handoff.ExitOK:
		return external
	case status.Exited() && status.ExitStatus() == handoff.ExitCannotBoot:
		return cannotBoot
	}
	return fault
}

// attrs are what a line of the log says of the worker, and more.
func (w *worker) attrs(more ...any) []any {
	return append([]any{"slot", w.id.Slot, "generation", w.id.Generation, "pid", w.pid}, more...)
}
