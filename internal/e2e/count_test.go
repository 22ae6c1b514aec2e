package e2e_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/fondue-server/fondue/internal/e2e"
)

// TestCountIsOne is what the project is for: whichever worker is asked, the
// count is the same, and every worker is asked.
func TestCountIsOne(t *testing.T) {
	for _, workers := range []int{1, 2, 16} {
		for _, accept := range []string{"reuseport", "shared"} {
			t.Run(fmt.Sprintf("%d workers, %s", workers, accept), func(t *testing.T) {
				t.Parallel()
				s := e2e.Start(t, e2e.Options{Workers: workers, Flags: []string{"--accept", accept}})
				const requests = 200
				var sent sync.WaitGroup
				for range requests {
					sent.Go(func() { s.Get("/increment?key=cnt").WantStatus(200) })
				}
				sent.Wait()
				answered := map[int]bool{}
				for range 60 {
					var report struct {
						Count int `json:"count"`
						PID   int `json:"current_process_id"`
					}
					s.Get("/report?key=cnt").WantStatus(200).Decode(&report)
					answered[report.PID] = true
					if report.Count != requests {
						t.Fatalf("worker %d says %d, want %d", report.PID, report.Count, requests)
					}
				}
				if want := min(workers, 3); len(answered) < want {
					t.Errorf("%d workers answered, want %d at least", len(answered), want)
				}
				s.Stop()
			})
		}
	}
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	addr := "unix:" + t.TempDir() + "/fondue.sock"
	s := e2e.Start(t, e2e.Options{Workers: 3, Listen: []string{addr, "127.0.0.1:0"}})
	load := e2e.StartLoad(t, addr, e2e.LoadOptions{KeepAlive: 4, NewConn: 4, Path: "/increment?key=u"})
	e2e.Eventually(t, requestsLimit, "1000 requests", func() bool { return load.Acked.Load() > 1000 })
	load.Stop()
	if load.Refused.Load()+load.Broken.Load() > 0 {
		t.Errorf("%d refused, %d broken: %v", load.Refused.Load(), load.Broken.Load(), load.FirstError())
	}
	e2e.Do(t, s.Addrs[1], "GET", "/count?key=u", "").WantStatus(200).WantBody(fmt.Sprint(load.Acked.Load()))
	s.Stop()
}
