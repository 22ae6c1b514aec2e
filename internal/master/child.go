package master

import (
	"syscall"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/shm"
)

// phase is what a seat's process is doing, as far as the master knows.
type phase int

const (
	vacant  phase = iota // no process; the next one starts at seat.due
	booting              // started, no ready message yet; killed at seat.due
	serving              // said that it is ready
	leaving              // was sent SIGTERM
)

// seat is a place for one worker: its listeners, and the one process after
// another that sits in it. It is the master's half of what worker.Worker is.
type seat struct {
	number int // index into the listeners' sockets
	slot   int // in the region; -1 before the first claim
	phase  phase
	due    time.Time

	id  shm.ID // of the current process, valid unless vacant
	pid int
	// stop ends the watch on the current process's ready pipe.
	stop func()

	avoided   bool   // new connections are steered to the other seats
	condemned string // why the master killed the process; "" = it did not
	reason    string // what the process said when it could not boot

	served        bool // some process of this seat was ready once
	faults, kills history
	bootFailures  int // ends before the first process of this seat was ready
	startedAt     time.Time
}

// cause sorts the end of a worker by what may be expected of the next one.
type cause int

const (
	external   cause = iota // somebody killed it or asked it to leave
	fault                   // it failed
	cannotBoot              // it says that the next one will fail, too
)

// causeOf sorts the end of the process in the seat.
func (s *seat) causeOf(status syscall.WaitStatus) cause {
	switch {
	case s.condemned != "" || s.phase == booting && !status.Signaled() && status.ExitStatus() != handoff.ExitCannotBoot:
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

// died counts the end of the seat's process and returns the wait before the
// next start.
func (s *seat) died(c cause, now time.Time) time.Duration {
	switch c {
	case external:
		return s.kills.died(outside, now)
	case cannotBoot:
		// Known to be in vain; tried again only because the others still serve
		// and what kept it from booting may pass.
		s.faults.died(faults, now)
		return faults.ceiling
	}
	return s.faults.died(faults, now)
}
