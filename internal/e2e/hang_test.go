package e2e_test

import (
	"slices"
	"strings"
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

// TestHungLoopIsReplaced: a worker whose event loop does not turn is ended, however
// well its goroutines are.
func TestHungLoopIsReplaced(t *testing.T) {
	t.Parallel()
	const step = "func (l *lane) Step(c *loop.Conn, in, out []byte) (used int, reply []byte, next loop.Next) {\n"
	binary := buildChanged(t, changes{"internal/worker/lane.go": {step, step + `	if string(in[:min(len(in), 9)]) == "GET /hang" {
		select {}
	}
`}})
	s := e2e.Start(t, e2e.Options{Binary: binary, Flags: []string{"--hang-timeout", "2s", "--fast-lane", "on"}})
	before := s.Children()
	c := dial(t, s.Addrs[0]) // before anything else is done by its loop
	if _, err := c.Write([]byte("GET /hang HTTP/1.1\r\nHost: f\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	p := e2e.StartPipeline(t, s.Addrs[0], "p", pipelines, pipelineDepth)
	e2e.Eventually(t, time.Minute, "a worker to be ended", func() bool {
		return slices.ContainsFunc(before, func(pid int) bool { return !alive(s, pid) })
	})
	wantReady(t, s, 2)
	if !strings.Contains(s.Log(), "worker hangs") {
		t.Error("the log does not tell of it")
	}
	p.More(500)
	p.Stop()
	p.WantExact(s, false)
	s.Stop()
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
