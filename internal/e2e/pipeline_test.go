package e2e_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/e2e"
	"github.com/fondue-server/fondue/internal/shm"
)

// Of the pipelines: enough clients for every worker, and so deep that a connection is
// never without a request when something happens to it.
const (
	pipelines     = 8
	pipelineDepth = 16
)

// eachDoor runs a test for each kind of socket that connections come by.
func eachDoor(t *testing.T, test func(t *testing.T, o e2e.Options)) {
	for _, kind := range []struct {
		name, listen string
		flags        []string
	}{
		{"reuseport", "127.0.0.1:0", nil},
		{"shared", "127.0.0.1:0", []string{"--accept", "shared"}},
		{"unix", "unix:" + t.TempDir() + "/s", nil},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			test(t, e2e.Options{Workers: 3, Listen: []string{kind.listen}, Flags: kind.flags})
		})
	}
}

// TestPipelinesOutliveChanges: whatever operators do to the server, a request of a
// pipeline is executed and answered, or neither. The next connection goes on where
// the answers have ended.
func TestPipelinesOutliveChanges(t *testing.T) {
	t.Parallel()
	eachDoor(t, func(t *testing.T, o e2e.Options) {
		rounds := 3
		if testing.Short() {
			rounds = 1
		}
		s := e2e.Start(t, o)
		p := e2e.StartPipeline(t, s.Addrs[0], "p", pipelines, pipelineDepth)
		for n := range rounds {
			p.More(500)
			s.Signal(syscall.SIGHUP)
			e2e.Eventually(t, time.Minute, "the reload to end", func() bool { return strings.Count(s.Log(), `"msg":"reloaded"`) == n+1 })
			p.More(500)
			s.OneMore()
			wantReady(t, s, 4)
			p.More(500)
			s.OneLess()
			wantReady(t, s, 3)
			p.More(500)
			s.Upgrade()
			p.More(500)
			_ = syscall.Kill(s.Children()[0], syscall.SIGTERM) // or an older one, which leaves
			wantReady(t, s, 3)
		}
		p.More(500)
		p.Ending()
		s.Signal(syscall.SIGTERM)
		s.WantExit(0)
		p.Wait()
		next := e2e.Start(t, e2e.Options{Workers: 1, Region: s.Region})
		p.WantExact(next, true)
		next.Stop()
	})
}

// TestPipelinesOutliveDeaths: a worker that dies or hangs costs the requests that
// were under way at it, each executed once or not at all. The others' are exact.
func TestPipelinesOutliveDeaths(t *testing.T) {
	t.Parallel()
	eachDoor(t, func(t *testing.T, o e2e.Options) {
		rounds := 3
		if testing.Short() {
			rounds = 1
		}
		o.Flags = append(o.Flags, "--hang-timeout", "2s")
		s := e2e.Start(t, o)
		p := e2e.StartPipeline(t, s.Addrs[0], "p", pipelines, pipelineDepth)
		for range rounds {
			p.More(500)
			s.Kill(s.Children()[0])
			wantReady(t, s, 3)
			p.More(500)
			paused := s.Children()[0]
			s.StopProcess(paused)
			time.Sleep(time.Second) // it is silent, and no worker any more if the machine is that slow
			_ = syscall.Kill(paused, syscall.SIGCONT)
			wantReady(t, s, 3)
			p.More(500)
			hung := s.Children()[0]
			s.StopProcess(hung)
			e2e.Eventually(t, time.Minute, "the worker to be ended", func() bool { return !alive(s, hung) })
			wantReady(t, s, 3)
		}
		p.More(500)
		p.Stop()
		p.WantExact(s, false)
		s.Stop()
	})
}

// wantReady waits until so many workers serve, and none else is left.
func wantReady(t *testing.T, s *e2e.Server, workers int) {
	t.Helper()
	region, err := shm.OpenReadOnly(s.Region)
	if err != nil {
		t.Fatal(err)
	}
	defer region.Close()
	e2e.Eventually(t, time.Minute, "all workers to serve", func() bool {
		serving := 0
		for pid := range pids(region) {
			if alive(s, pid) {
				serving++
			}
		}
		return serving == workers && len(region.Slots()) == workers+1 && len(s.Children()) == workers
	})
}

// alive tells whether a process is a worker of the server.
func alive(s *e2e.Server, pid int) bool {
	for _, child := range s.Children() {
		if child == pid {
			return true
		}
	}
	return false
}
