package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/e2e"
)

// TestRegionGrows: a start with a larger --region-size finds all that was there,
// also where starts before it were killed on the way.
func TestRegionGrows(t *testing.T) {
	t.Parallel()
	region := filepath.Join(t.TempDir(), "region")
	s := e2e.Start(t, e2e.Options{Region: region})
	const keys = 3000
	for i := 0; i < keys; i += 500 {
		var batch strings.Builder
		for n := i; n < i+500; n++ {
			fmt.Fprintf(&batch, `,{"op":"put","key":"k%d","value":"%s"},{"op":"increment","key":"n%d","by":%d}`, n, strings.Repeat("x", n%1000), n, n)
		}
		s.Do("POST", "/v1/batch", "["+batch.String()[1:]+"]").WantStatus(200)
	}
	s.Do("PUT", "/v1/keys/expires?ttl=1h", `{"a":1}`).WantStatus(201)
	s.Do("PUT", "/args", `{"model":"small"}`).WantStatus(200)
	requests := requestsOf(s)
	s.Stop()
	kills := 12
	if testing.Short() {
		kills = 3
	}
	for range kills {
		cmd := exec.Command(e2e.Binary(t), "serve", "--region", region, "--region-size", "64MiB", "--listen", "127.0.0.1:0")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.IntN(90_000)) * time.Microsecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
	}
	s = e2e.Start(t, e2e.Options{Region: region, Flags: []string{"--region-size", "64MiB"}})
	if info, err := os.Stat(region); err != nil || info.Size() != 64<<20 {
		t.Errorf("the region: %v, %v", info, err)
	}
	for n := range keys {
		s.Get(fmt.Sprintf("/v1/keys/k%d", n)).WantBody(`"` + strings.Repeat("x", n%1000) + `"`)
		s.Get(fmt.Sprintf("/count?key=n%d", n)).WantBody(fmt.Sprint(n))
	}
	if ttl := s.Get("/v1/keys/expires").WantBody(`{"a":1}`).Header.Get("Fondue-TTL"); !strings.HasPrefix(ttl, "3") || len(ttl) < 4 || ttl[4:] != "" && ttl[4] != '.' {
		t.Errorf("time to live %q", ttl)
	}
	s.Get("/args").WantBody(`{"args":{"model":"small"}}`)
	if got := requestsOf(s); got < requests {
		t.Errorf("%d requests are counted, and were %d before", got, requests)
	}
	s.Stop()
	if left, err := filepath.Glob(region + ".*"); err != nil || len(left) > 0 {
		t.Errorf("left beside the region: %v, %v", left, err)
	}
}

// TestUpgradeGrowsTheRegion: the new master serves a larger region with all that
// the old one held, and no request and no connect fails.
func TestUpgradeGrowsTheRegion(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{"127.0.0.1:0", "unix:" + t.TempDir() + "/s"} {
		config := filepath.Join(t.TempDir(), "fondue.toml")
		size := func(mib int) {
			text := fmt.Sprintf("listen = %q\nworkers = 2\nregion-size = \"%dMiB\"\n", listen, mib)
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		size(8)
		s := e2e.Start(t, e2e.Options{Config: config, Listen: []string{listen}})
		s.Do("PUT", "/v1/keys/object", `{"a":1}`).WantStatus(201)
		load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 12, NewConn: 6, Path: "/increment?key=k"})
		for mib := 9; mib <= 11; mib++ {
			pause(load)
			size(mib)
			s.Upgrade()
			if info, err := os.Stat(s.Region); err != nil || info.Size() != int64(mib)<<20 {
				t.Errorf("the region: %v, %v; want %d MiB", info, err, mib)
			}
		}
		pause(load)
		load.Stop()
		wantNoFailure(t, load)
		wantExact(t, count(t, s, "k"), load)
		s.Get("/v1/keys/object").WantBody(`{"a":1}`)
		if !strings.Contains(s.Log(), "new connections wait") {
			t.Error("the log does not say that connections waited")
		}
		s.Stop()
		if left, err := filepath.Glob(s.Region + ".*"); err != nil || len(left) > 0 {
			t.Errorf("left beside the region: %v, %v", left, err)
		}
	}
}

// TestUpgradeWithoutRoom: a larger region that has no room is refused while the
// workers serve; none of them leaves for it.
func TestUpgradeWithoutRoom(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "fondue.toml")
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := e2e.Start(t, e2e.Options{Config: config, Workers: 2})
	before := s.Children()
	if err := os.WriteFile(config, []byte(`region-size = "2TiB"`), 0o600); err != nil {
		t.Fatal(err)
	}
	s.BeginUpgrade()
	e2e.Eventually(t, requestsLimit, "the upgrade to fail", func() bool { return strings.Contains(s.Log(), "upgrade failed") })
	if log := s.Log(); !strings.Contains(log, "could not grow from ") || strings.Contains(log, "new connections wait") {
		t.Errorf("the log:\n%s", log)
	}
	if after := s.Children(); !slices.Equal(slices.Sorted(slices.Values(after)), slices.Sorted(slices.Values(before))) {
		t.Errorf("workers %v, before %v", after, before)
	}
	s.Stop()
	if left, err := filepath.Glob(s.Region + ".*"); err != nil || len(left) > 0 {
		t.Errorf("left beside the region: %v, %v", left, err)
	}
}

// TestKillsAroundAGrowingUpgrade: whichever master is killed while the region is
// made larger, what was acknowledged is there.
func TestKillsAroundAGrowingUpgrade(t *testing.T) {
	t.Parallel()
	rounds := 24
	if testing.Short() {
		rounds = 6
	}
	region, config, acked := t.TempDir()+"/region", filepath.Join(t.TempDir(), "fondue.toml"), int64(0)
	ends := map[string]int{}
	for n := range rounds {
		size := func(mib int) {
			if err := os.WriteFile(config, fmt.Appendf(nil, "workers = 2\nregion-size = \"%dMiB\"\n", mib), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		size(8 + n)
		s := e2e.Start(t, e2e.Options{Config: config, Region: region})
		load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 6, NewConn: 3, Path: "/increment?key=k"})
		pause(load)
		size(9 + n)
		s.BeginUpgrade()
		var heir int
		e2e.Eventually(t, requestsLimit, "the new master", func() bool {
			heir = s.Heir()
			return heir != 0
		})
		time.Sleep(time.Duration(rand.IntN(45_000)) * time.Microsecond)
		victim := []string{"old", "new"}[n%2]
		if victim == "old" {
			s.KillMaster()
		} else {
			s.KillHeir(heir)
		}
		who := s.Survivor(heir)
		ends[victim+" killed, "+who+" serves"]++
		if who != "nobody" {
			pause(load)
		}
		load.Stop()
		acked += load.Acked.Load()
		if left, err := filepath.Glob(region + ".*"); who == "old" && (err != nil || len(left) > 0) {
			t.Errorf("round %d: the new master was killed and has left %v, %v", n, left, err)
		}
		if who != "nobody" {
			if got := count(t, s, "k"); got < acked {
				t.Fatalf("round %d, %s killed, %s serves: count is %d, %d were acknowledged", n, victim, who, got, acked)
			}
			s.Stop()
		} else {
			s.WantNoOrphans(5 * time.Second)
		}
	}
	s := e2e.Start(t, e2e.Options{Config: config, Region: region})
	if got := count(t, s, "k"); got < acked {
		t.Errorf("count is %d, %d were acknowledged", got, acked)
	}
	s.Stop()
	t.Logf("%v, %d requests", ends, acked)
}

// requestsOf is the number of requests over all workers.
func requestsOf(s *e2e.Server) (sum uint64) {
	for _, w := range s.Workers() {
		sum += w.Requests
	}
	return sum
}
