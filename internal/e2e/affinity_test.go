package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/fondue-server/fondue/internal/e2e"
)

// cpusOf is the processors of a process's threads, each once, as the kernel
// writes them; none of a process that is gone.
func cpusOf(t *testing.T, pid int) []string {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	var lists []string
	for _, path := range tasks {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		_, list, _ := strings.Cut(string(text), "Cpus_allowed_list:\t")
		list, _, _ = strings.Cut(list, "\n")
		if !slices.Contains(lists, list) {
			lists = append(lists, list)
		}
	}
	return lists
}

// TestAffinity: each worker is bound to one CPU in every thread, and so are those
// who follow it; the master is not.
func TestAffinity(t *testing.T) {
	t.Parallel()
	var usable []string
	for _, cpu := range usableCPUs(t) {
		usable = append(usable, fmt.Sprint(cpu))
	}
	backwards := slices.Clone(usable)
	slices.Reverse(backwards)
	const workers = 3
	for flag, order := range map[string][]string{"auto": usable, strings.Join(backwards, ","): backwards} {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			s := e2e.Start(t, e2e.Options{Workers: workers, Flags: []string{"--cpu-affinity", flag}})
			all := cpusOf(t, s.PID)
			// want counts the CPUs of all workers: which seat is whose cannot be seen.
			want := func(workers int) {
				t.Helper()
				var due []string
				for i := range workers {
					due = append(due, order[i%len(order)])
				}
				slices.Sort(due)
				e2e.Eventually(t, requestsLimit, fmt.Sprintf("workers on CPUs %v", due), func() bool {
					var got []string
					for _, pid := range s.Children() {
						lists := cpusOf(t, pid)
						if len(lists) > 1 {
							t.Errorf("the threads of worker %d run on %q", pid, lists)
						}
						got = append(got, lists...)
					}
					slices.Sort(got)
					return slices.Equal(got, due)
				})
			}
			want(workers)
			s.Signal(syscall.SIGTTIN)
			want(workers + 1)
			s.Kill(s.Children()[1])
			want(workers + 1)
			s.Signal(syscall.SIGHUP)
			e2e.Eventually(t, requestsLimit, "the reload to end", func() bool { return strings.Contains(s.Log(), `"msg":"reloaded"`) })
			want(workers + 1)
			if now := cpusOf(t, s.PID); len(all) != 1 || !slices.Equal(now, all) {
				t.Errorf("the master's threads run on %q, before on %q", now, all)
			}
			s.Stop()
		})
	}
}
