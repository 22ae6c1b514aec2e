package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fondue-server/fondue/internal/e2e"
	"golang.org/x/sys/unix"
)

// container is the options of a server that is pid 1 of its own namespace, with a
// /proc of its own.
func container(t *testing.T) e2e.Options {
	t.Helper()
	o := e2e.Options{
		Region: filepath.Join(t.TempDir(), "region"), Namespaces: unix.CLONE_NEWPID | unix.CLONE_NEWNS,
		Shell: "mount --make-rprivate /\nmount -t proc proc /proc",
	}
	probe := exec.Command("sh", "-ec", o.Shell)
	probe.SysProcAttr = &syscall.SysProcAttr{Cloneflags: o.Namespaces}
	if out, err := probe.CombinedOutput(); err != nil {
		t.Skipf("this process may make no pid namespace with a /proc: %v\n%s", err, out)
	}
	return o
}

// offspring is the names of a process's children by pid, with those that have
// ended and were not reaped.
func offspring(t *testing.T, parent int) map[string]string {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		name, rest, _ := strings.Cut(string(text), ") ")
		pid, name, _ := strings.Cut(name, " (")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == fmt.Sprint(parent) {
			found[pid] = name
		}
	}
	return found
}

// TestPID1: as the first process of a container the server reaps whom it did not
// start, and heeds every signal, though the kernel spares pid 1 those that it has
// no handler for.
func TestPID1(t *testing.T) {
	t.Parallel()
	o := container(t)
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	// An orphan that ends when somebody writes to the pipe; its parent ends at once.
	o.Shell += fmt.Sprintf("\n( cat '%s' & )", pipe)
	s := e2e.Start(t, o)
	if !strings.Contains(s.Log(), `"pid":1,`) {
		t.Fatalf("the server is not pid 1 of its namespace:\n%s", s.Log())
	}
	orphan := ""
	for pid, name := range offspring(t, s.PID) {
		if name == "cat" {
			orphan = pid
		}
	}
	if orphan == "" {
		t.Fatalf("the orphan is no child of pid 1, which has %v", offspring(t, s.PID))
	}
	if err := os.WriteFile(pipe, nil, 0); err != nil {
		t.Fatal(err)
	}
	e2e.Eventually(t, requestsLimit, "the orphan is reaped", func() bool { return offspring(t, s.PID)[orphan] == "" })

	load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 4, NewConn: 2, Path: "/increment?key=k"})
	s.Signal(syscall.SIGHUP)
	e2e.Eventually(t, requestsLimit, "the reload to end", func() bool { return strings.Contains(s.Log(), `"msg":"reloaded"`) })
	s.Signal(syscall.SIGTTIN)
	e2e.Eventually(t, requestsLimit, "three workers", func() bool { return len(s.Workers()) == 3 })
	s.Signal(syscall.SIGTTOU)
	e2e.Eventually(t, requestsLimit, "two workers, and nobody else", func() bool { return len(offspring(t, s.PID)) == 2 })
	s.Signal(syscall.SIGUSR1)
	e2e.Eventually(t, requestsLimit, "the logs to be opened anew", func() bool { return strings.Contains(s.Log(), "logs reopened") })
	s.Kill(s.Children()[0])
	pause(load)
	e2e.Eventually(t, requestsLimit, "a successor", func() bool { return len(s.Children()) == 2 })
	load.Ending()
	s.Stop()
	load.Wait()
	if load.Refused.Load() > 0 || load.Odd.Load() > 0 {
		t.Errorf("%d refused, %d odd: %v", load.Refused.Load(), load.Odd.Load(), load.FirstError())
	}
	o.Shell = container(t).Shell
	s = e2e.Start(t, o)
	wantExact(t, count(t, s, "k"), load)
	s.Stop()
}

// TestPID1Ends: each way to end, and the next container over the same region,
// whose first process has the same pid.
func TestPID1Ends(t *testing.T) {
	t.Parallel()
	o := container(t)
	for i, end := range []func(*e2e.Server){
		func(s *e2e.Server) { s.Signal(syscall.SIGINT); s.WantExit(0) },
		func(s *e2e.Server) { s.Signal(syscall.SIGQUIT); s.WantExit(0) },
		func(s *e2e.Server) { s.KillMaster() },
		func(s *e2e.Server) { s.Stop() },
	} {
		s := e2e.Start(t, o)
		s.Get("/increment").WantBody(fmt.Sprintf(`{"key":"count","count":%d}`, i+1))
		end(s)
	}
}
