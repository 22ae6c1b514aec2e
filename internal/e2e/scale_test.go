package e2e_test

import (
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/e2e"
	"github.com/fondue-server/fondue/internal/shm"
)

// TestUpAndDown: workers come and go under load, and no request and no connect
// fails.
func TestUpAndDown(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name, listen string
		flags        []string
	}{
		{"reuseport", "127.0.0.1:0", nil},
		{"reuseport, IPv6", loopback6(t), nil},
		{"shared", "127.0.0.1:0", []string{"--accept", "shared"}},
		{"unix", "unix:" + t.TempDir() + "/s", nil},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			rounds, most := 5, 5 // each is four up and four down
			if testing.Short() {
				rounds = 1
			}
			s := e2e.Start(t, e2e.Options{Workers: 1, Listen: []string{kind.listen}, Flags: kind.flags})
			region, err := shm.OpenReadOnly(s.Region)
			if err != nil {
				t.Fatal(err)
			}
			defer region.Close()
			load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 12, NewConn: 8, Path: "/increment?key=k"})
			for range rounds {
				for n := 2; n <= most; n++ {
					s.OneMore()
					e2e.Eventually(t, requestsLimit, "one worker more", func() bool { return len(pids(region)) == n })
					pause(load)
				}
				for n := most - 1; n >= 1; n-- {
					s.OneLess()
					if n%2 == 0 { // else the next one comes while this one leaves
						e2e.Eventually(t, requestsLimit, "one worker less", func() bool { return len(pids(region)) == n })
					}
					pause(load)
				}
				e2e.Eventually(t, time.Minute, "the others to leave", func() bool { return len(region.Slots()) == 2 })
			}
			load.Stop()
			wantNoFailure(t, load)
			wantExact(t, count(t, s, "k"), load)
			t.Logf("%d up and down, %d requests", rounds*(most-1), load.Acked.Load())
			s.Check()
			s.Stop()
		})
	}
}
