package master

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
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
	Died(id shm.ID)
	Recover(id shm.ID) (shm.Recovery, error)
	Sweep() ([]shm.Recovery, error)
	BeatOf(slot int) uint64
	StateOf(slot int) shm.State
	RequestsOf(slot int) uint64
}

// stage is how far the crew as a whole has come.
type stage int

const (
	running  stage = iota
	draining       // no new connections; each worker leaves when it is done
	killing        // every worker was sent SIGKILL
)

// news is what came, or did not come, from the ready pipe of a worker.
type news struct {
	worker  *worker
	message handoff.ReadyMessage
	err     error
}

// crew is the seats, the workers in them and those that have left them, and all
// that happens to them. It belongs to the goroutine that calls run; the watchers
// of ready pipes only send news.
type crew struct {
	log     *slog.Logger
	procs   processes
	board   scoreboard
	seats   []*seat
	retired []*seat   // whose workers are to leave
	asked   int       // seats that the settings ask for, as far as they were followed
	most    int       // seats that there may be
	workers []*worker // that live, in the order of their starts

	// outfit is what a worker of the seat is handed, and the descriptors of it
	// in the order of their numbers.
	outfit func(s *seat, id shm.ID) (handoff.Worker, []int)
	// fill is called once, when nothing but the workers can fail any more.
	fill       func() error
	closeDoors func() error
	// closeListeners gives up the master's own hold on the sockets.
	closeListeners func() error
	// resize makes each address have so many sockets, where it has one for each
	// seat.
	resize func(sockets int) error
	// steer keeps new connections away from the seats that are false.
	steer func(live []bool) error
	// reconfigure reads the settings again; outfit follows them from then on. On
	// an error everything is as it was.
	reconfigure func() (Settings, error)
	// queued is how many connections wait in the queues of the seat's own sockets,
	// and socketsOf are those.
	queued    func(s *seat) int
	socketsOf func(s *seat) []int
	// reopenLogs opens files anew that were moved.
	reopenLogs func() error
	// ready is called once, when every seat serves for the first time. An error
	// ends the start.
	ready   func() error
	inspect func() // called from time to time: looks at what others may break
	limit   time.Duration
	// hangLimit is how long a worker may be silent; 0: for ever.
	hangLimit time.Duration
	limits    limits
	service   service
	// inherits: there is a master whose workers serve the same sockets until this
	// one is ready. A seat may then wait for a slot that they leave.
	inherits bool
	// startHeir starts the program anew, to take over; handOver leaves it the
	// listeners, but the dropped ones.
	startHeir func() (pid int, channel heirChannel, err error)
	handOver  func(dropped []int)
	// removeDraft removes what an heir has left that died over a larger region.
	removeDraft func() error

	signals  <-chan os.Signal // for the master
	children <-chan os.Signal // SIGCHLD
	news     chan news
	done     chan struct{} // closed when run returns: ends the watchers

	reopened    time.Time    // when logs were opened anew last
	watched     time.Time    // when the beats were looked at last
	adopter     int          // seat that is asked next to empty another's queue
	replacement *replacement // nil: none is under way
	heir        *heir        // nil: no upgrade is under way
	heirNews    chan heirNews
	quiet       bool      // no worker is started, for the heir's sake
	withheld    bool      // the workers are ready, and are to be told when they may serve
	reloadedAt  time.Time // of the last reload of all
	recycleAt   time.Time // no worker is over its limit before

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
	c.heirNews = make(chan heirNews)
	if err := c.begin(); err != nil {
		return err
	}
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	inspect := time.NewTicker(inspectEvery)
	defer inspect.Stop()
	watch := time.NewTicker(watchEvery)
	defer watch.Stop()
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
		case n := <-c.heirNews:
			c.hearHeir(n)
		case s := <-c.signals:
			c.signal(s)
		case <-alarm.C:
			c.overdue(time.Now())
		case <-sweep.C:
			c.sweep()
		case now := <-watch.C:
			c.watch(now)
			c.adopt(now)
			c.recycle(now)
			c.service.alive(now)
		case <-inspect.C:
			c.inspect()
		}
	}
	return c.failure
}

// gone reports that the crew was told to leave and has left.
func (c *crew) gone() bool {
	return c.stage != running && len(c.workers) == 0 && (c.heir == nil || c.heir.handed)
}

// nextDue is the earliest moment at which overdue has something to do.
func (c *crew) nextDue() time.Time {
	next := c.killAt
	if c.stage == killing {
		next = time.Time{}
	}
	sooner := func(due time.Time) {
		if next.IsZero() || due.Before(next) {
			next = due
		}
	}
	for _, w := range c.workers {
		if c.impatient(w) {
			sooner(w.due)
		}
	}
	if c.heir != nil && !c.heir.handed {
		sooner(c.heir.due)
	}
	if c.stage != running {
		return next
	}
	for _, s := range c.seats {
		if s.worker == nil && !c.quiet {
			sooner(s.due)
		}
	}
	for _, s := range c.retired {
		if s.worker != nil && s.worker.phase == serving {
			sooner(s.due)
		}
	}
	return next
}

// impatient says whether the worker has a time limit of its own. That of those
// who leave together is killAt.
func (c *crew) impatient(w *worker) bool {
	return w.phase == booting || w.phase == hanging || w.phase == leaving && c.stage == running
}

// overdue does what has become due.
func (c *crew) overdue(now time.Time) {
	for _, w := range c.workers {
		if !c.impatient(w) || w.due.After(now) {
			continue
		}
		switch w.phase {
		case booting:
			w.condemned = fmt.Sprintf("not ready within %v", bootLimit)
		case leaving:
			c.log.Warn("worker did not finish in time and is killed", w.attrs("limit", c.limit)...)
		}
		w.due = now.Add(time.Hour) // once is enough
		c.kill(w, unix.SIGKILL)
	}
	for _, s := range c.seats {
		if s.worker == nil && c.stage == running && !s.due.After(now) {
			c.start(s)
		}
	}
	if c.stage == running {
		c.retire(now)
	}
	c.overdueHeir(now)
	if c.stage == draining && !c.killAt.After(now) {
		c.log.Warn("workers did not finish in time and are killed", "limit", c.limit)
		c.killAll()
	}
}

func (c *crew) workerOf(pid int) *worker {
	for _, w := range c.workers {
		if w.pid == pid {
			return w
		}
	}
	return nil
}

func (c *crew) kill(w *worker, sig syscall.Signal) {
	if err := c.procs.kill(w.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		c.log.Error("signal to a worker failed", w.attrs("signal", unix.SignalName(sig), "reason", err)...)
	}
}

// avoid steers new connections away from a seat that stays empty for a while,
// and back when it serves again. A seat that is filled at once keeps them: its
// next process is there before anything else could be arranged.
func (c *crew) avoid(s *seat, avoided bool) {
	if s.avoided == avoided || c.stage != running || slices.Contains(c.retired, s) {
		return
	}
	s.avoided = avoided
	c.resteer()
}

// inCharge says whether the queues are this master's: an heir's are its lender's
// until it has taken over.
func (c *crew) inCharge() bool { return !c.inherits || c.complete }

// resteer sends new connections to the seats that are not avoided.
func (c *crew) resteer() {
	if !c.inCharge() {
		return
	}
	live := make([]bool, c.sockets(0))
	// With none live the kernel picks any: then rather one of these than one
	// that is retired.
	none := !slices.ContainsFunc(c.seats, func(s *seat) bool { return !s.avoided })
	for _, s := range c.seats {
		live[s.number] = !s.avoided || none && len(c.retired) > 0
	}
	if err := c.steer(live); err != nil {
		c.log.Error("new connections cannot be steered", "reason", err)
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
		process := "worker"
		if r.Master {
			process = "master"
		}
		log.Warn("slot of a dead process repaired", "process", process, "slot", r.Slot, "generation", r.Generation, "pid", r.PID,
			"last_beat", r.Silent.Round(time.Millisecond), "locks", r.Locks, "unlinked", r.Unlinked, "freed_bytes", r.Freed)
	}
}
