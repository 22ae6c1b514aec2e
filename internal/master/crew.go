package master

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
)

const (
	// sweepEvery bounds how long a lock of another master's dead worker stays
	// when that master is dead, too.
	sweepEvery = 100 * time.Millisecond
	// inspectEvery is how late a loss of the region's file is noticed.
	inspectEvery = time.Second
	// stopGrace is what workers get beyond the shutdown timeout, which they
	// keep themselves.
	stopGrace = 500 * time.Millisecond
)

// scoreboard is the master's half of an attached store.
type scoreboard interface {
	Claim(prefer int) (shm.ID, error)
	Spawned(id shm.ID, pid int)
	Recover(id shm.ID) (shm.Recovery, error)
	Sweep() ([]shm.Recovery, error)
}

// stage is how far the crew as a whole has come.
type stage int

const (
	running  stage = iota
	draining       // no new connections; each worker leaves when it is done
	killing        // every worker was sent SIGKILL
)

// news is what came, or did not come, from the ready pipe of a process.
type news struct {
	seat    *seat
	id      shm.ID
	message handoff.ReadyMessage
	err     error
}

// crew is the seats and everything that happens to them. All of it belongs to
// the goroutine that calls run; the watchers of ready pipes only send news.
type crew struct {
	log   *slog.Logger
	procs processes
	board scoreboard
	seats []*seat

	// outfit is what a worker of the seat is handed, and the descriptors of it
	// in the order of their numbers.
	outfit func(s *seat) (handoff.Worker, []int)
	// fill is called once, when nothing but the workers can fail any more.
	fill       func() error
	closeDoors func() error
	// closeListeners gives up the master's own hold on the sockets.
	closeListeners func() error
	// steer keeps new connections away from the seats that are false.
	steer   func(live []bool) error
	ready   func() // called once, when every seat serves for the first time
	inspect func() // called from time to time: looks at what others may break
	limit   time.Duration

	signals  <-chan os.Signal // for the master
	children <-chan os.Signal // SIGCHLD
	news     chan news
	done     chan struct{} // closed when run returns: ends the watchers

	stage      stage
	complete   bool // every seat has served
	interrupts int
	killAt     time.Time // of stage draining
	failure    error
}

// run starts a worker in each seat and returns when all are gone: nil if
// somebody asked for it, or why the start failed. Before the first process
// starts every slot is claimed, and after that the region is filled.
func (c *crew) run() error {
	c.news = make(chan news)
	c.done = make(chan struct{})
	defer close(c.done)
	for i, s := range c.seats {
		if err := c.claim(s); err != nil {
			c.unclaim(c.seats[:i])
			return fmt.Errorf("worker %d of %d: %w; start fewer with --workers", i+1, len(c.seats), err)
		}
	}
	if err := c.fill(); err != nil {
		c.unclaim(c.seats)
		return err
	}
	for _, s := range c.seats {
		c.launch(s)
	}
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	inspect := time.NewTicker(inspectEvery)
	defer inspect.Stop()
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for !c.gone() {
		if due := c.nextDue(); !due.IsZero() {
			alarm.Reset(time.Until(due))
		} else {
			alarm.Stop()
		}
		select {
		case <-c.children:
			c.reap()
		case n := <-c.news:
			c.hear(n)
		case s := <-c.signals:
			c.signal(s)
		case <-alarm.C:
			c.overdue(time.Now())
		case <-sweep.C:
			c.sweep()
		case <-inspect.C:
			c.inspect()
		}
	}
	return c.failure
}

// unclaim gives back slots that no process was started for.
func (c *crew) unclaim(claimed []*seat) {
	for _, s := range claimed {
		c.recover(s.id)
	}
}

// gone reports that the crew was told to leave and has left.
func (c *crew) gone() bool {
	if c.stage == running {
		return false
	}
	for _, s := range c.seats {
		if s.phase != vacant {
			return false
		}
	}
	return true
}

// nextDue is the earliest moment at which overdue has something to do.
func (c *crew) nextDue() time.Time {
	next := c.killAt
	if c.stage == killing {
		next = time.Time{}
	}
	for _, s := range c.seats {
		if s.phase == booting || s.phase == vacant && c.stage == running {
			if next.IsZero() || s.due.Before(next) {
				next = s.due
			}
		}
	}
	return next
}

// overdue does what has become due.
func (c *crew) overdue(now time.Time) {
	for _, s := range c.seats {
		if s.due.After(now) {
			continue
		}
		switch {
		case s.phase == vacant && c.stage == running:
			c.start(s)
		case s.phase == booting && s.condemned == "":
			s.condemned = fmt.Sprintf("not ready within %v", bootLimit)
			s.due = now.Add(time.Hour) // once is enough
			c.kill(s, unix.SIGKILL)
		}
	}
	if c.stage == draining && !c.killAt.After(now) {
		c.log.Warn("workers did not finish in time and are killed", "limit", c.limit)
		c.killAll()
	}
}

func (c *crew) seatOf(pid int) *seat {
	for _, s := range c.seats {
		if s.phase != vacant && s.pid == pid {
			return s
		}
	}
	return nil
}

func (c *crew) kill(s *seat, sig syscall.Signal) {
	if err := c.procs.kill(s.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		c.log.Error("signal to a worker failed", "slot", s.slot, "pid", s.pid, "signal", unix.SignalName(sig), "reason", err)
	}
}

// avoid steers new connections away from a seat that stays empty for a while,
// and back when it serves again. A seat that is filled at once keeps them: its
// next process is there before anything else could be arranged.
func (c *crew) avoid(s *seat, avoided bool) {
	if s.avoided == avoided || c.stage != running {
		return
	}
	s.avoided = avoided
	live := make([]bool, len(c.seats))
	for _, s := range c.seats {
		live[s.number] = !s.avoided
	}
	if err := c.steer(live); err != nil {
		c.log.Error("new connections cannot be steered", "slot", s.slot, "reason", err)
	}
}

func (c *crew) sweep() {
	repaired, err := c.board.Sweep()
	if err != nil {
		c.log.Error("sweep of the region failed", "reason", err)
	}
	if errors.Is(err, shm.ErrCorrupt) {
		c.giveUp(damaged(err))
	}
	logRecoveries(c.log, repaired)
}

// logRecoveries reports what was repaired for processes of other masters.
func logRecoveries(log *slog.Logger, repaired []shm.Recovery) {
	for _, r := range repaired {
		log.Warn("slot of a dead process repaired", "slot", r.Slot, "generation", r.Generation, "pid", r.PID, "locks", r.Locks)
	}
}
