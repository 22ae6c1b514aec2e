package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Limits of what a test waits for; all of them far beyond what is normal, so
// that a busy machine fails no test.
const (
	readyLimit = 20 * time.Second
	exitLimit  = 30 * time.Second
)

// Options of one server. The zero value is two workers on a free port of the
// loopback over a new small region.
type Options struct {
	Workers int
	// Region shares a region with another server or an earlier one; empty
	// makes a new one in a temporary directory.
	Region string
	// Listen replaces the default address 127.0.0.1:0; empty and not nil leaves it to
	// Config.
	Listen []string
	// Sockets are descriptors 3 and up of the server, whose own address is then
	// left to it if Listen is empty: a service manager has opened them.
	Sockets []*os.File
	// Shell is run by sh before the server takes its place, in the same process.
	Shell string
	// Namespaces are flags of clone(2): the server gets new ones of these kinds.
	Namespaces uintptr
	// Config is a file of --config, which says how many workers and how large the
	// region; "" none.
	Config string
	// Flags are added at the end of the command line.
	Flags []string
	// Env is added to an environment without FONDUE_ variables but that of laneEnv.
	Env []string
	// Damaged leaves out the check at the end: the test breaks the region.
	Damaged bool
	// Binary is started instead of the one that was built.
	Binary string
}

// Server is one running master with its workers. Its methods belong to the
// test's goroutine, except the requests (Get, Do), which any may send.
type Server struct {
	// Addrs are the addresses as bound, in the order of --listen.
	Addrs  []string
	Region string
	PID    int

	tb       testing.TB
	process  *process
	log      *logBuffer
	damaged  bool
	settled  bool // the test has seen the end and judged it
	workers  []int
	programs map[string]bool // that ran as this server
	inode    uint64          // of the region
}

// Start runs a server until it is ready. At the end of the test it is stopped
// gracefully, if it still runs, and its region is checked.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	s := Launch(tb, o)
	line, ok := s.log.waitReady(s.process.exited, readyLimit, 0)
	if !ok {
		tb.Fatalf("the server did not become ready; its log:\n%s", s.Log())
	}
	s.Addrs = line.addresses()
	if len(s.Addrs) == 0 {
		tb.Fatalf("no address in the ready line; the log:\n%s", s.Log())
	}
	s.inode = inodeOf(s.Region)
	s.remember()
	if !slices.ContainsFunc(s.workers, s.isOurs) {
		tb.Fatalf("workers %v: none is recognised, so that none could be missed", s.workers)
	}
	return s
}

// resolved is the path that a process shows as its executable.
func resolved(program string) string {
	if path, err := filepath.EvalSymlinks(program); err == nil {
		return path
	}
	return program
}

// Launch starts a server and waits for nothing: one that is to fail, or to be looked
// at before it is ready.
func Launch(tb testing.TB, o Options) *Server {
	tb.Helper()
	s := &Server{tb: tb, Region: o.Region, damaged: o.Damaged}
	if s.Region == "" {
		s.Region = filepath.Join(tb.TempDir(), "region")
	}
	program := o.Binary
	if program == "" {
		program = Binary(tb)
	}
	s.programs = map[string]bool{resolved(program): true}
	cmd := command(o, program, arguments(o, s.Region))
	cmd.Env = append(cleanEnv(), o.Env...)
	// A group of its own: a signal to the test's terminal must not end the
	// server before the test's cleanup has judged it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Cloneflags: o.Namespaces}
	// Not exec's own pipe: the log outlives the process where another master
	// takes over.
	stderr, theirs, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	cmd.Stderr = theirs
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		stderr.Close()
		tb.Fatalf("start the server: %v", err)
	}
	s.log = collect(stderr)
	s.PID, s.process = cmd.Process.Pid, watchProcess(cmd.Process)
	tb.Cleanup(s.cleanup)
	return s
}

// process is a master, and what became of it.
type process struct {
	*os.Process
	exited chan struct{} // closed when state is there
	state  *os.ProcessState
}

func watchProcess(p *os.Process) *process {
	w := &process{Process: p, exited: make(chan struct{})}
	go func() { // ends with the process
		w.state, _ = p.Wait() // of a child: it has an end
		close(w.exited)
	}()
	return w
}

// command runs the server, after a shell where something is to be done before.
func command(o Options, program string, args []string) *exec.Cmd {
	if len(o.Sockets) > 0 { // the protocol names the receiver by its pid
		o.Shell = fmt.Sprintf("export LISTEN_PID=$$ LISTEN_FDS=%d\n%s", len(o.Sockets), o.Shell)
	}
	cmd := exec.Command(program, args...)
	if o.Shell != "" {
		cmd = exec.Command("sh", append([]string{"-ec", o.Shell + "\nexec \"$0\" \"$@\"", program}, args...)...)
	}
	cmd.ExtraFiles = o.Sockets
	return cmd
}

func arguments(o Options, region string) []string {
	workers := max(o.Workers, 1)
	if o.Workers == 0 {
		workers = 2
	}
	args := []string{"serve", "--region", region, "--log-format", "json"}
	if o.Config != "" {
		args = append(args, "--config", o.Config)
	} else {
		args = append(args, "--workers", fmt.Sprint(workers))
	}
	if !slices.Contains(o.Flags, "--join") {
		args = append(args, "--max-workers", fmt.Sprint(max(16, workers)))
		if o.Config == "" {
			args = append(args, "--region-size", "8MiB")
		}
	}
	listen := o.Listen
	if listen == nil && len(o.Sockets) == 0 {
		listen = []string{"127.0.0.1:0"}
	}
	for _, l := range listen {
		args = append(args, "--listen", l)
	}
	return append(args, o.Flags...)
}

// laneEnv is the --fast-lane of every server that the tests start and say nothing
// else about: the same suite holds for both ways to serve.
const laneEnv = "FONDUE_TEST_FAST_LANE"

func cleanEnv() []string {
	env := slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "FONDUE_") })
	if lane := os.Getenv(laneEnv); lane != "" {
		env = append(env, "FONDUE_FAST_LANE="+lane)
	}
	return env
}

// Stop ends the server gracefully and asserts exit 0, no worker left and, unless
// another master shares the region, a clean region.
func (s *Server) Stop() {
	s.tb.Helper()
	s.Signal(syscall.SIGTERM)
	s.WantExit(0)
	s.WantNoOrphans(time.Second)
	s.Check()
}

// Signal sends a signal to the master. One that is sent twice before the master was
// scheduled is one signal.
func (s *Server) Signal(sig syscall.Signal) {
	s.tb.Helper()
	s.remember()
	if err := s.process.Signal(sig); err != nil {
		s.tb.Fatalf("send %v to the master: %v", sig, err)
	}
}

// KillMaster ends the master with SIGKILL, unless it has ended, and waits for it,
// not for its workers.
func (s *Server) KillMaster() {
	s.tb.Helper()
	s.remember()
	if err := s.process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.tb.Fatal(err)
	}
	s.Wait()
	s.settled = true
}

// Wait waits for the master's end and returns its exit code, -1 for a signal.
func (s *Server) Wait() int {
	s.tb.Helper()
	select {
	case <-s.process.exited:
	case <-time.After(exitLimit):
		s.tb.Fatalf("the master did not end within %v; its log:\n%s", exitLimit, s.Log())
	}
	// Workers inherit stderr: do not wait long for theirs when the master is gone.
	s.log.waitEnd(2 * time.Second)
	return s.process.state.ExitCode()
}

// WantExit waits for the end and asserts the exit code.
func (s *Server) WantExit(code int) {
	s.tb.Helper()
	got := s.Wait()
	s.settled = true
	if got != code {
		s.tb.Fatalf("the master ended with %v, want exit code %d; its log:\n%s", s.process.state, code, s.Log())
	}
}

// Running tells whether the master has not been reaped yet.
func (s *Server) Running() bool {
	select {
	case <-s.process.exited:
		return false
	default:
		return true
	}
}

// Check asserts that `fondue check` finds the region clean.
func (s *Server) Check() {
	s.tb.Helper()
	if s.damaged {
		return
	}
	if r := Run(s.tb, nil, "check", "--region", s.Region); r.Code != 0 {
		s.tb.Errorf("check: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

// Log returns what the master and its workers have written to stderr so far.
func (s *Server) Log() string { return s.log.String() }

func (s *Server) cleanup() {
	if s.Running() {
		s.remember()
		_ = s.process.Signal(syscall.SIGTERM) // its end is awaited below
		select {
		case <-s.process.exited:
		case <-time.After(exitLimit):
			_ = s.process.Kill() // the failure is reported below
			<-s.process.exited
		}
	}
	if code := s.process.state.ExitCode(); code != 0 && !s.settled {
		s.tb.Errorf("the master ended with %v; its log:\n%s", s.process.state, s.Log())
	}
	s.endHeirs()
	s.WantNoOrphans(5 * time.Second)
	s.Check()
	if s.tb.Failed() {
		s.tb.Logf("log of the server:\n%s", s.Log())
	}
}

// Eventually waits for a condition; it fails the test when the limit has passed.
func Eventually(tb testing.TB, limit time.Duration, what string, condition func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(limit); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("not within %v: %s", limit, what)
		}
	}
}
