package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/e2e"
)

// join starts a second master on the region of the first.
func join(t *testing.T, s *e2e.Server, workers int) *e2e.Server {
	t.Helper()
	return e2e.Start(t, e2e.Options{Workers: workers, Region: s.Region, Flags: []string{"--join"}})
}

// TestJoinedMasterKilled: the survivor cleans up after a whole instance that
// was killed, and takes its slots over.
func TestJoinedMasterKilled(t *testing.T) {
	t.Parallel()
	first := e2e.Start(t, e2e.Options{Workers: 2})
	for range 3 {
		second := join(t, first, 3)
		load := e2e.StartLoad(t, first.Addrs[0], e2e.LoadOptions{KeepAlive: 8, NewConn: 2, Path: "/increment?key=k"})
		other := e2e.StartLoad(t, second.Addrs[0], e2e.LoadOptions{KeepAlive: 8, Path: "/increment?key=o"})
		pause(load)
		pause(other)
		other.Ending()
		for _, pid := range second.Children() { // everything at once, as the kernel would when memory runs out
			second.Kill(pid)
		}
		second.KillMaster()
		other.Wait()
		e2e.Eventually(t, requestsLimit, "the slots are free again", func() bool { return len(first.Workers()) == 2 })
		pause(load)
		load.Stop()
		if load.Refused.Load()+load.Broken.Load()+load.Odd.Load() > 0 {
			t.Errorf("the death of the second hurt the first: %v", load.FirstError())
		}
	}
	first.Stop()
}

// TestRegionInUse: without --join a second master is refused, at once and with
// the first one's pid; with --join but no master, it is refused too.
func TestRegionInUse(t *testing.T) {
	t.Parallel()
	first := e2e.Start(t, e2e.Options{Workers: 1})
	begin := time.Now()
	r := e2e.Run(t, nil, "serve", "--region", first.Region, "--listen", "127.0.0.1:0")
	if r.Code != 1 || !strings.Contains(r.Stderr, fmt.Sprint(first.PID)) || !strings.Contains(r.Stderr, "--join") {
		t.Errorf("exit code %d, stderr %q", r.Code, r.Stderr)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("refused after %v", took)
	}
	if strings.Count(strings.TrimSpace(r.Stderr), "\n") > 0 {
		t.Errorf("more than one line: %q", r.Stderr)
	}
	first.Get("/increment").WantStatus(200)
	first.Stop()
	r = e2e.Run(t, nil, "serve", "--join", "--region", first.Region, "--listen", "127.0.0.1:0")
	if r.Code != 1 || !strings.Contains(r.Stderr, "--join") {
		t.Errorf("join without a master: exit code %d, stderr %q", r.Code, r.Stderr)
	}
}
