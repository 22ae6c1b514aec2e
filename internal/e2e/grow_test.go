package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
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

// requestsOf is the number of requests over all workers.
func requestsOf(s *e2e.Server) (sum uint64) {
	for _, w := range s.Workers() {
		sum += w.Requests
	}
	return sum
}
