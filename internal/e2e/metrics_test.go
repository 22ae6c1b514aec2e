package e2e_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/fondue-server/fondue/internal/e2e"
	"github.com/fondue-server/fondue/internal/shm"
)

// scraper asks for the metrics, of whichever worker answers, and holds that no
// counter falls.
type scraper struct {
	t       *testing.T
	s       *e2e.Server
	last    map[string]float64
	scrapes int
}

func (c *scraper) scrape() map[string]float64 {
	c.t.Helper()
	reply := c.s.Do("GET", "/metrics", "", "Connection: close").WantStatus(200)
	c.scrapes++
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(reply.Body))
	if err != nil {
		c.t.Fatalf("%v in\n%s", err, reply.Body)
	}
	now := map[string]float64{}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			key := name
			for _, l := range m.GetLabel() {
				key += " " + l.GetValue()
			}
			switch family.GetType() {
			case dto.MetricType_COUNTER:
				now[key] = m.GetCounter().GetValue()
			case dto.MetricType_HISTOGRAM:
				now[key+" count"], now[key+" sum"] = float64(m.GetHistogram().GetSampleCount()), m.GetHistogram().GetSampleSum()
				for _, b := range m.GetHistogram().GetBucket() {
					now[key+" "+strconv.FormatFloat(b.GetUpperBound(), 'g', -1, 64)] = float64(b.GetCumulativeCount())
				}
			}
		}
	}
	for key, before := range c.last {
		if value, there := now[key]; !there || value < before {
			c.t.Errorf("%s was %v, and is %v (there: %v)", key, before, value, there)
		}
	}
	c.last = now
	return now
}

// TestMetricsAreExact: through deaths, reloads, upgrades, more and fewer workers and a
// larger region, every worker says the same of all, no counter ever falls, and in the
// end it is what the clients have counted.
func TestMetricsAreExact(t *testing.T) {
	t.Parallel()
	rounds := 5
	if testing.Short() {
		rounds = 1
	}
	config, mib := filepath.Join(t.TempDir(), "fondue.toml"), 8
	grow := func() {
		mib += 2
		if err := os.WriteFile(config, fmt.Appendf(nil, "workers = 3\nregion-size = \"%dMiB\"\n", mib), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	grow()
	s := e2e.Start(t, e2e.Options{Config: config, Flags: []string{"--max-workers", "24"}})
	c := &scraper{t: t, s: s}
	region, err := shm.OpenReadOnly(s.Region)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { region.Close() }()
	load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 12, NewConn: 4, Path: "/increment?key=k"})
	kills := 0
	for range rounds {
		for _, n := range rand.Perm(6) {
			c.scrape()
			switch n {
			case 0, 1:
				killOne(s, region)
				kills++
			case 2:
				s.Signal(syscall.SIGHUP)
			case 3:
				s.Upgrade()
			case 4:
				s.Signal(syscall.SIGTTIN)
				pause(load)
				s.Signal(syscall.SIGTTOU)
			case 5:
				grow()
				s.Upgrade()
				region.Close()
				if region, err = shm.OpenReadOnly(s.Region); err != nil {
					t.Fatal(err)
				}
			}
			pause(load)
		}
	}
	load.Stop()
	if n := load.Refused.Load() + load.Odd.Load(); n > 0 {
		t.Errorf("%d connects or answers failed: %v", n, load.FirstError())
	}
	e2e.Eventually(t, requestsLimit, "the connections to end", func() bool {
		open := int64(0)
		for _, row := range region.Slots() {
			open += row.Connections
		}
		return open == 0
	})
	scrapes := c.scrapes
	now := c.scrape()
	acked, broken := float64(load.Acked.Load()), float64(load.Broken.Load())
	if n := now["fondue_http_requests_total /increment 2xx"]; n < acked || n > acked+broken {
		t.Errorf("%v increments in the metrics, %v acknowledged, %v broken", n, acked, broken)
	}
	if n := now["fondue_http_requests_total /metrics 2xx"]; n != float64(scrapes) {
		t.Errorf("%v scrapes in the metrics, %d made before", n, scrapes)
	}
	// A worker that was about to leave, and was told so, is no death when it is killed.
	if n := now["fondue_deaths_total"]; n < 1 || n > float64(kills) {
		t.Errorf("%v deaths in the metrics, %d workers were killed", n, kills)
	}
	sum, slots := 0.0, 0.0
	for key, n := range now {
		switch {
		case strings.HasPrefix(key, "fondue_http_requests_total "):
			sum += n
		case strings.HasPrefix(key, "fondue_worker_requests_total "):
			slots += n
		}
	}
	if count := now["fondue_http_request_duration_seconds count"]; sum != count || slots != count {
		t.Errorf("%v requests by route, %v by slot, %v by time", sum, slots, count)
	}
	t.Logf("%d scrapes, %v requests, %v broken", c.scrapes, now["fondue_http_request_duration_seconds count"], broken)
	s.Check()
	s.Stop()
}

// TestScrapesUnderLoad scrapes a hundred times a second while clients do what they
// can, in alternation with leaving it, and tells how many of their answers that costs.
func TestScrapesUnderLoad(t *testing.T) {
	t.Parallel()
	turns, turn := 4, time.Second
	if testing.Short() {
		turns, turn = 2, 200*time.Millisecond
	}
	s := e2e.Start(t, e2e.Options{Workers: 2})
	c := &scraper{t: t, s: s}
	load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 32, Path: "/increment?key=k"})
	var alone, scraped int64
	var took []time.Duration
	for range turns {
		before := load.Acked.Load()
		time.Sleep(turn) // what is measured
		between := load.Acked.Load()
		tick := time.NewTicker(10 * time.Millisecond)
		for end := time.Now().Add(turn); time.Now().Before(end); <-tick.C {
			began := time.Now()
			c.scrape()
			took = append(took, time.Since(began))
		}
		tick.Stop()
		alone, scraped = alone+between-before, scraped+load.Acked.Load()-between
	}
	load.Stop()
	wantNoFailure(t, load)
	slices.Sort(took)
	t.Logf("%d answers alone, %d (%.3f of them) beside %d scrapes, which took %v (median), %v (p99)",
		alone, scraped, float64(scraped)/float64(alone), len(took), quantile(took, 0.5), quantile(took, 0.99))
	if scraped < alone/3 { // far beyond any noise: scrapes hold clients up
		t.Errorf("%d answers beside scrapes, %d without", scraped, alone)
	}
	now := c.scrape()
	if n := now["fondue_http_requests_total /increment 2xx"]; n != float64(load.Acked.Load()) {
		t.Errorf("%v increments in the metrics, %d acknowledged", n, load.Acked.Load())
	}
	s.Stop()
}
