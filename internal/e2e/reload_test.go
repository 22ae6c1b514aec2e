package e2e_test

import (
	"maps"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/e2e"
	"github.com/fondue-server/fondue/internal/shm"
)

// TestReloads: workers are replaced under load, again and again, and no request
// and no connect fails.
func TestReloads(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name, listen string
		flags        []string
	}{
		{"reuseport", "127.0.0.1:0", nil},
		{"shared", "127.0.0.1:0", []string{"--accept", "shared"}},
		{"unix", "unix:" + t.TempDir() + "/s", nil},
		{"no slot to spare", "127.0.0.1:0", []string{"--max-workers", "3"}},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			reloads := 20
			if testing.Short() {
				reloads = 3
			}
			s := e2e.Start(t, e2e.Options{Workers: 3, Listen: []string{kind.listen}, Flags: kind.flags})
			region, err := shm.OpenReadOnly(s.Region)
			if err != nil {
				t.Fatal(err)
			}
			defer region.Close()
			load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 16, NewConn: 6, Path: "/increment?key=k"})
			for n := range reloads {
				before := pids(region)
				s.Signal(syscall.SIGHUP)
				e2e.Eventually(t, requestsLimit, "the reload to end", func() bool { return strings.Count(s.Log(), `"msg":"reloaded"`) == n+1 })
				e2e.Eventually(t, requestsLimit, "three other workers", func() bool {
					now := pids(region)
					maps.DeleteFunc(now, func(pid int, _ bool) bool { return before[pid] })
					return len(now) == 3
				})
				e2e.Eventually(t, requestsLimit, "the old workers to drain", func() bool {
					for pid := range pids(region) {
						if before[pid] {
							return false
						}
					}
					return true
				})
				pause(load)
			}
			load.Stop()
			wantNoFailure(t, load)
			wantExact(t, count(t, s, "k"), load)
			t.Logf("%d reloads, %d requests, none failed", reloads, load.Acked.Load())
			e2e.Eventually(t, time.Minute, "the old workers to leave", func() bool { return len(region.Slots()) == 4 })
			s.Check()
			s.Stop()
		})
	}
}

// pids are the workers that are ready.
func pids(region *shm.Region) map[int]bool {
	ready := map[int]bool{}
	for _, row := range region.Slots() {
		if !row.Master && row.State == shm.StateReady {
			ready[row.PID] = true
		}
	}
	return ready
}

// TestRecycled: workers are replaced when they have answered enough, and no
// request and no connect fails.
func TestRecycled(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{Workers: 2, Flags: []string{"--max-requests", "300"}})
	load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 6, NewConn: 4, Path: "/increment?key=k"})
	const text = "it is over its limit"
	e2e.Eventually(t, requestsLimit, "six workers over their limit", func() bool { return strings.Count(s.Log(), text) >= 6 })
	load.Stop()
	wantNoFailure(t, load)
	wantExact(t, count(t, s, "k"), load)
	s.Stop()
}
