package e2e_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/e2e"
)

// policiesOf is the scheduling policies of a process's threads, each once; none of
// a process that is gone.
func policiesOf(t *testing.T, pid int) (policies []uint32) {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil
	}
	for _, task := range tasks {
		thread, err := strconv.Atoi(task.Name())
		if err != nil {
			t.Fatal(err)
		}
		attr, err := unix.SchedGetAttr(thread, 0)
		if err != nil {
			continue // it has ended
		}
		if !slices.Contains(policies, attr.Policy) {
			policies = append(policies, attr.Policy)
		}
	}
	return policies
}

// wantPolicy asserts the policy of every thread of the workers, as many as are to
// be, and that the master has its own.
func wantPolicy(t *testing.T, s *e2e.Server, workers int, policy, master uint32) {
	t.Helper()
	e2e.Eventually(t, requestsLimit, fmt.Sprintf("%d workers", workers), func() bool { return len(s.Workers()) == workers && len(s.Children()) == workers })
	for _, pid := range s.Children() {
		if got := policiesOf(t, pid); !slices.Equal(got, []uint32{policy}) {
			t.Errorf("the threads of worker %d have policies %v, want %d", pid, got, policy)
		}
	}
	if got := policiesOf(t, s.PID); !slices.Equal(got, []uint32{master}) {
		t.Errorf("the master's threads have policies %v, want %d", got, master)
	}
}

// TestSchedPolicy: every thread of each worker has it, and of those who follow it;
// the master has its own, as have the workers where none is asked for.
func TestSchedPolicy(t *testing.T) {
	t.Parallel()
	s := startConfigured(t, "workers = 2\n")
	wantPolicy(t, s.Server, 2, unix.SCHED_NORMAL, unix.SCHED_NORMAL)
	changed := "workers = 2\nsched-policy = \"batch\"\ncpu-affinity = \"auto\"\n"
	s.reload(changed)
	if !strings.Contains(s.Log(), `"settings":["cpu-affinity","sched-policy"]`) {
		t.Errorf("no warning about the settings in the log:\n%s", s.Log())
	}
	wantPolicy(t, s.Server, 2, unix.SCHED_NORMAL, unix.SCHED_NORMAL)
	s.Upgrade()
	wantPolicy(t, s.Server, 2, unix.SCHED_BATCH, unix.SCHED_NORMAL)
	for _, pid := range s.Children() {
		if lists := cpusOf(t, pid); len(lists) != 1 || strings.ContainsAny(lists[0], ",-") {
			t.Errorf("worker %d runs on CPUs %q", pid, lists)
		}
	}
	s.Signal(syscall.SIGTTIN)
	wantPolicy(t, s.Server, 3, unix.SCHED_BATCH, unix.SCHED_NORMAL)
	s.Kill(s.Children()[1])
	wantPolicy(t, s.Server, 3, unix.SCHED_BATCH, unix.SCHED_NORMAL)
	load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 4, NewConn: 4, Path: "/increment?key=k"})
	pause(load) // it has its threads by now
	s.reload(changed)
	wantPolicy(t, s.Server, 3, unix.SCHED_BATCH, unix.SCHED_NORMAL)
	load.Stop()
	wantNoFailure(t, load)
	s.Stop()
}

// TestSchedPolicyOfTheMaster: workers have that which the master was started with,
// unless another is asked for.
func TestSchedPolicyOfTheMaster(t *testing.T) {
	t.Parallel()
	for policy, flags := range map[uint32][]string{unix.SCHED_BATCH: nil, unix.SCHED_NORMAL: {"--sched-policy", "other"}} {
		var s *e2e.Server
		onThread(t, func() error {
			attr, err := unix.SchedGetAttr(0, 0)
			if err != nil {
				return err
			}
			attr.Policy = unix.SCHED_BATCH
			return unix.SchedSetAttr(0, attr, 0)
		}, func() { s = e2e.Start(t, e2e.Options{Flags: flags}) })
		wantPolicy(t, s, 2, policy, unix.SCHED_BATCH)
		s.Stop()
	}
}

// TestSchedPolicyRefused: what the kernel does not allow is refused before
// anything is started.
func TestSchedPolicyRefused(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root may give a right up that others do not have")
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NICE, &limit); err != nil || limit.Cur > 0 {
		t.Skipf("the limit of nice values is %d, %v", limit.Cur, err)
	}
	e2e.Binary(t) // built with the processor's time
	onThread(t, func() error {
		attr, err := unix.SchedGetAttr(0, 0)
		if err != nil {
			return err
		}
		attr.Policy = unix.SCHED_IDLE // which only who may raise its nice value can leave
		if err := unix.SchedSetAttr(0, attr, 0); err != nil {
			return err
		}
		return unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_NICE, 0, 0, 0)
	}, func() {
		r := e2e.Run(t, nil, "serve", "--region", t.TempDir()+"/region", "--listen", "127.0.0.1:0", "--sched-policy", "batch")
		if r.Code != 2 || strings.Count(r.Stderr, "\n") != 1 || !strings.Contains(r.Stderr, "--sched-policy batch: sched_setattr: operation not permitted") {
			t.Errorf("%+v", r)
		}
	})
}

// onThread does something on a thread that is changed before, and ends with it. What
// is started there is as that is.
func onThread(t *testing.T, change func() error, do func()) {
	t.Helper()
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err = change(); err == nil {
			do()
		}
	}()
	if <-done; err != nil {
		t.Fatal(err)
	}
}
