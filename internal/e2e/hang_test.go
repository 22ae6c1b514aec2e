package e2e_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/e2e"
	"github.com/fondue-server/fondue/internal/shm"
)

// TestStoppedWorkerIsReplaced: a worker that was stopped costs its own
// connections alone. It is ended after the hang timeout, and replaced.
func TestStoppedWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	for _, accept := range []string{"reuseport", "shared"} {
		t.Run(accept, func(t *testing.T) {
			t.Parallel()
			s := e2e.Start(t, e2e.Options{Workers: 3, Flags: []string{"--accept", accept, "--hang-timeout", "2s"}})
			region, err := shm.OpenReadOnly(s.Region)
			if err != nil {
				t.Fatal(err)
			}
			defer region.Close()
			load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 12, NewConn: 6, Path: "/increment?key=k", Identify: true})
			stopped := map[int]bool{}
			for range 2 {
				pause(load)
				victim := anyWorker(region)
				if err := syscall.Kill(victim.PID, syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
				stopped[victim.PID] = true
				begin := time.Now()
				e2e.Eventually(t, requestsLimit, "the worker to be replaced", func() bool {
					for _, row := range region.Slots() {
						if row.PID == victim.PID {
							return false
						}
					}
					return len(pids(region)) == 3
				})
				t.Logf("replaced after %v", time.Since(begin).Round(time.Millisecond))
			}
			pause(load)
			load.Stop()
			if n := load.Refused.Load() + load.Odd.Load(); n > 0 {
				t.Errorf("%d connects failed, or were answered oddly: %v", n, load.FirstError())
			}
			for pid, n := range load.BrokenOf() {
				if pid != 0 && !stopped[pid] {
					t.Errorf("%d connections of worker %d broke, which was not stopped", n, pid)
				}
			}
			wantExact(t, count(t, s, "k"), load)
			s.Check()
			s.Stop()
		})
	}
}

// anyWorker is the first one that is ready.
func anyWorker(region *shm.Region) shm.SlotInfo {
	for _, row := range region.Slots() {
		if !row.Master && row.State == shm.StateReady {
			return row
		}
	}
	return shm.SlotInfo{}
}
