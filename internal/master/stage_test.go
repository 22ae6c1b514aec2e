package master

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
)

// theatre is an operating system and a scoreboard that only write down what
// the crew asks of them. It lives in a synctest bubble.
type theatre struct {
	t                 *testing.T
	crew              *crew
	signals, children chan os.Signal
	ended             chan error

	mu     sync.Mutex // the crew's goroutine and the test's
	script []string   // what happened, in order
	log    strings.Builder

	lastPID     int
	pipes       map[int]*io.PipeWriter // by pid: the worker's end of its ready pipe
	exits       []exit
	generations map[int]uint32
	taken       map[int]bool
	live        map[int]int // pid by slot
	slots       int
	spawnFails  error
	damaged     error // what Recover answers
	fillFails   error
	reopenFails error
	sweeps      int
	frozen      map[int]bool // slots whose worker does not beat
	beat        uint64
	requests    map[int]uint64 // by slot
	deaths      int            // of workers that were not told to end
	draining    map[int]bool   // slots whose worker says that it drains
	grown       uint64         // memory of every worker
	service     []string       // what the service manager was told
	settings    Settings       // as a reload reads them
	refused     error          // why it does not
	readyFails  error
	queues      map[int]int      // connections that wait, by seat
	heirs       map[int]net.Conn // by pid: the heir's end of its channel
	lateness    time.Duration    // of the watcher of an heir
}

// perform starts a crew with the given number of seats in a bubble and hands
// it to the test.
func perform(t *testing.T, seats int, test func(*theatre)) {
	synctest.Test(t, func(t *testing.T) {
		f := &theatre{
			t: t, signals: make(chan os.Signal, 16), children: make(chan os.Signal, 1), ended: make(chan error, 1),
			lastPID: 100, pipes: map[int]*io.PipeWriter{}, generations: map[int]uint32{}, taken: map[int]bool{}, live: map[int]int{}, slots: 8, frozen: map[int]bool{}, requests: map[int]uint64{}, draining: map[int]bool{}, heirs: map[int]net.Conn{}, queues: map[int]int{},
			settings: Settings{Workers: seats, ShutdownTimeout: 30 * time.Second, HangTimeout: 10 * time.Second},
		}
		f.crew = &crew{
			log:   slog.New(slog.NewTextHandler(logWriter{f}, &slog.HandlerOptions{Level: slog.LevelDebug})),
			procs: f, board: f,
			outfit: func(_ *seat, id shm.ID) (handoff.Worker, []int) {
				return handoff.Worker{Slot: id.Slot, Generation: id.Generation}, nil
			},
			fill:           func() error { f.noted("fill"); return f.fillFails },
			closeDoors:     func() error { f.noted("doors"); return nil },
			closeListeners: func() error { f.noted("close"); return nil },
			most:           8,
			service:        service{tell: func(state string) { f.told(state) }},
			resize:         func(n int) error { f.noted(fmt.Sprint("sockets ", n)); return nil },
			steer:          func(live []bool) error { f.noted(fmt.Sprint("steer ", live)); return nil },
			reconfigure:    func() (Settings, error) { return f.settings, f.refused },
			asked:          seats,
			queued:         func(s *seat) int { return f.queuedAt(s.number) },
			socketsOf:      func(s *seat) []int { return []int{1000 + s.number} },
			reopenLogs:     func() error { f.noted("reopen"); return f.reopenFails },
			ready:          func() error { f.noted("ready"); return f.readyFails },
			startHeir:      f.startHeir,
			handOver:       func(dropped []int) { f.noted(fmt.Sprint("hand over, dropped ", dropped)) },
			removeDraft:    func() error { f.noted("no draft"); return nil },
			inspect:        func() {},
			limit:          f.settings.ShutdownTimeout,
			hangLimit:      f.settings.HangTimeout,
			signals:        f.signals,
			children:       f.children,
		}
		for i := range seats {
			f.crew.seats = append(f.crew.seats, &seat{number: i, slot: -1})
		}
		test(f)
	})
}

type logWriter struct{ *theatre }

func (w logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func (f *theatre) noted(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("%s", what)
}

// note is called with mu held.
func (f *theatre) note(format string, args ...any) {
	f.script = append(f.script, fmt.Sprintf(format, args...))
}

// start runs the crew; it is settled when start returns.
func (f *theatre) start() {
	f.crew.limits = f.settings.limits()
	go func() { f.ended <- f.crew.run() }()
	synctest.Wait()
}

// startServing starts the crew and lets every worker become ready.
func (f *theatre) startServing() {
	f.t.Helper()
	f.start()
	for pid := 101; pid <= f.last(); pid++ {
		f.says(pid, handoff.ReadyMessage{Ready: true})
	}
	f.expect("ready")
}

// last is the pid of the youngest process.
func (f *theatre) last() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lastPID
}

// empty reports whether the slot has no process.
func (f *theatre) empty(slot int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.live[slot] == 0
}

func (f *theatre) pipe(pid int) *io.PipeWriter {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pipes[pid]
}

func (f *theatre) failSpawns(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.spawnFails = err
}

// logged returns the log so far.
func (f *theatre) logged() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.log.String()
}

// pass lets time go by.
func (f *theatre) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (f *theatre) says(pid int, m handoff.ReadyMessage) {
	f.t.Helper()
	if _, err := m.WriteTo(f.pipe(pid)); err != nil {
		f.t.Fatalf("ready message of %d: %v", pid, err)
	}
	synctest.Wait()
}

// ends makes processes end, all at one moment.
func (f *theatre) ends(status syscall.WaitStatus, pids ...int) {
	for _, pid := range pids {
		f.mu.Lock()
		f.exits = append(f.exits, exit{pid, status})
		f.mu.Unlock()
		if p := f.pipe(pid); p != nil {
			p.Close()
		}
		if heir := f.heirs[pid]; heir != nil {
			heir.Close()
			delete(f.heirs, pid)
		}
	}
	select {
	case f.children <- unix.SIGCHLD:
	default: // one is pending, as with real signals
	}
	synctest.Wait()
}

func (f *theatre) signal(s os.Signal) {
	f.signals <- s
	synctest.Wait()
}

// expect compares the last of what happened since it was called before.
func (f *theatre) expect(tail ...string) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.script) < len(tail) || !slices.Equal(f.script[len(f.script)-len(tail):], tail) {
		f.t.Errorf("happened:\n  %s\nwant at the end:\n  %s\nlog:\n%s", strings.Join(f.script, "\n  "), strings.Join(tail, "\n  "), f.log.String())
	}
	f.script = nil
}

// expectNothing is for what must not happen.
func (f *theatre) expectNothing() {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.script) > 0 {
		f.t.Errorf("happened:\n  %s", strings.Join(f.script, "\n  "))
	}
	f.script = nil
}

// over returns what run returned; it must have.
func (f *theatre) over() error {
	f.t.Helper()
	select {
	case err := <-f.ended:
		return err
	default:
		f.t.Fatalf("the crew still runs; log:\n%s", f.logged())
		return nil
	}
}

// close ends the crew at once, at the end of a test that is about something else.
func (f *theatre) close() {
	f.t.Helper()
	f.signal(unix.SIGQUIT)
	f.mu.Lock()
	pids := slices.Concat(slices.Collect(maps.Values(f.live)), slices.Collect(maps.Keys(f.heirs)))
	f.mu.Unlock()
	if len(pids) > 0 {
		f.ends(killed, pids...)
	}
	if err := f.over(); err != nil {
		f.t.Error(err)
	}
}

const (
	killed  = syscall.WaitStatus(unix.SIGKILL)
	crashed = syscall.WaitStatus(unix.SIGSEGV)
)

func exited(code int) syscall.WaitStatus { return syscall.WaitStatus(code << 8) }
