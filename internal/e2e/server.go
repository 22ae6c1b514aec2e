package e2e

import (
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
	// Listen replaces the default address 127.0.0.1:0.
	Listen []string
	// Config is a file of --config, which says how many workers; "" none.
	Config string
	// Flags are added at the end of the command line.
	Flags []string
	// Env is added to an environment without FONDUE_ variables.
	Env []string
	// Damaged leaves out the check at the end: the test breaks the region.
	Damaged bool
}

// Server is one running master with its workers. Its methods belong to the
// test's goroutine, except the requests (Get, Do), which any may send.
type Server struct {
	// Addrs are the addresses as bound, in the order of --listen.
	Addrs  []string
	Region string
	PID    int

	tb      testing.TB
	cmd     *exec.Cmd
	log     *logBuffer
	exited  chan struct{} // closed by the goroutine that waits for cmd
	damaged bool
	settled bool // the test has seen the end and judged it
	workers []int
	inode   uint64 // of the region
}

// Start runs a server until it is ready. At the end of the test it is stopped
// gracefully, if it still runs, and its region is checked.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	s := launch(tb, o)
	line, ok := s.log.waitReady(s.exited, readyLimit)
	if !ok {
		tb.Fatalf("the server did not become ready; its log:\n%s", s.Log())
	}
	s.Addrs = line.addresses()
	if len(s.Addrs) == 0 {
		tb.Fatalf("no address in the ready line; the log:\n%s", s.Log())
	}
	s.inode = inodeOf(s.Region)
	s.remember()
	if len(s.workers) == 0 || !s.isOurs(s.workers[0]) {
		tb.Fatalf("workers %v: none is recognised, so that none could be missed", s.workers)
	}
	return s
}

func launch(tb testing.TB, o Options) *Server {
	tb.Helper()
	s := &Server{tb: tb, Region: o.Region, log: newLogBuffer(), exited: make(chan struct{}), damaged: o.Damaged}
	if s.Region == "" {
		s.Region = filepath.Join(tb.TempDir(), "region")
	}
	s.cmd = exec.Command(Binary(tb), arguments(o, s.Region)...)
	s.cmd.Env = append(cleanEnv(), o.Env...)
	s.cmd.Stderr = s.log
	// A group of its own: a signal to the test's terminal must not end the
	// server before the test's cleanup has judged it.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// Workers inherit stderr: do not wait for theirs when the master is gone.
	s.cmd.WaitDelay = 2 * time.Second
	if err := s.cmd.Start(); err != nil {
		tb.Fatalf("start the server: %v", err)
	}
	s.PID = s.cmd.Process.Pid
	go func() {
		_ = s.cmd.Wait() // judged by ProcessState
		close(s.exited)
	}()
	tb.Cleanup(s.cleanup)
	return s
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
		args = append(args, "--region-size", "8MiB", "--max-workers", fmt.Sprint(max(16, workers)))
	}
	listen := o.Listen
	if len(listen) == 0 {
		listen = []string{"127.0.0.1:0"}
	}
	for _, l := range listen {
		args = append(args, "--listen", l)
	}
	return append(args, o.Flags...)
}

func cleanEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "FONDUE_") })
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

// Signal sends a signal to the master.
func (s *Server) Signal(sig syscall.Signal) {
	s.tb.Helper()
	s.remember()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.tb.Fatalf("send %v to the master: %v", sig, err)
	}
}

// KillMaster ends the master with SIGKILL and waits for it, not for its workers.
func (s *Server) KillMaster() {
	s.tb.Helper()
	s.Signal(syscall.SIGKILL)
	s.Wait()
	s.settled = true
}

// Wait waits for the master's end and returns its exit code, -1 for a signal.
func (s *Server) Wait() int {
	s.tb.Helper()
	select {
	case <-s.exited:
	case <-time.After(exitLimit):
		s.tb.Fatalf("the master did not end within %v; its log:\n%s", exitLimit, s.Log())
	}
	return s.cmd.ProcessState.ExitCode()
}

// WantExit waits for the end and asserts the exit code.
func (s *Server) WantExit(code int) {
	s.tb.Helper()
	got := s.Wait()
	s.settled = true
	if got != code {
		s.tb.Fatalf("the master ended with %v, want exit code %d; its log:\n%s", s.cmd.ProcessState, code, s.Log())
	}
}

// Running tells whether the master has not been reaped yet.
func (s *Server) Running() bool {
	select {
	case <-s.exited:
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
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // its end is awaited below
		select {
		case <-s.exited:
		case <-time.After(exitLimit):
			_ = s.cmd.Process.Kill() // the failure is reported below
			<-s.exited
		}
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 && !s.settled {
		s.tb.Errorf("the master ended with %v; its log:\n%s", s.cmd.ProcessState, s.Log())
	}
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
