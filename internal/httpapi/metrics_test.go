package httpapi

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/metrics"
)

func TestFormatOf(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]metrics.Format{
		"":                             metrics.Text,
		"*/*":                          metrics.Text,
		"text/html,*/*;q=0.8":          metrics.Text,
		"text/plain;version=0.0.4":     metrics.Text,
		"application/openmetrics-text": metrics.OpenMetrics,
		"Application/OpenMetrics-Text ; Version=1.0.0 ; Q=0.6": metrics.OpenMetrics,
		`application/openmetrics-text;version="1.0.0"`:         metrics.OpenMetrics,
		"application/openmetrics-text;version=0.0.1":           metrics.Text,
		"application/openmetrics-text;q=0":                     metrics.Text,
		"application/openmetrics-text;q=nan":                   metrics.Text,
		"application/openmetrics-text;q=2":                     metrics.Text,
		"application/openmetrics-text;q=1.0,text/plain;q=1":    metrics.OpenMetrics,
		"application/openmetrics-text;q=0.3,text/plain;q=0.4":  metrics.Text,
		"application/openmetrics-text;q=0.4,text/*;q=0.35":     metrics.OpenMetrics,
		"text/html\napplication/openmetrics-text;q=0.4":        metrics.OpenMetrics, // two lines
		// As Prometheus 2 and 3 ask.
		"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1":                                                          metrics.OpenMetrics,
		"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2": metrics.OpenMetrics,
	} {
		if got := formatOf(bytes.Split([]byte(accept), []byte("\n"))); got != want {
			t.Errorf("%q: format %d, want %d", accept, got, want)
		}
	}
}

func TestMetricsRoute(t *testing.T) {
	t.Parallel()
	client := newClient(t)
	for accept, want := range map[string]string{
		"*/*": "text/plain; version=0.0.4; charset=utf-8", "application/openmetrics-text": "application/openmetrics-text; version=1.0.0; charset=utf-8",
	} {
		response, body := client.do("GET /metrics?ignored=1", "Accept: "+accept+"\r\n", "")
		if response.StatusCode != 200 || response.Header.Get("Content-Type") != want || response.Header.Get("Vary") != "Accept" {
			t.Errorf("%s: %d, %v", accept, response.StatusCode, response.Header)
		}
		if !strings.HasPrefix(body, "# HELP fondue_http_requests") || strings.HasSuffix(body, "# EOF\n") != (accept != "*/*") {
			t.Errorf("%s: %.60q", accept, body)
		}
	}
	client.run([]step{{"POST /metrics", "", "", 405, "GET, HEAD, OPTIONS"}})
}

// TestEveryRouteIsCounted: each has a kind of its own, so that none is mistaken for
// another.
func TestEveryRouteIsCounted(t *testing.T) {
	t.Parallel()
	if len(kindOf) != len(allowed) {
		t.Fatalf("%d routes have a kind, of %d", len(kindOf), len(allowed))
	}
	seen := map[metrics.Kind]bool{}
	for which, kind := range kindOf {
		if name := kind.String(); which > 0 && name != paths[which] && !isPart(route(which)) {
			t.Errorf("%s is counted as %s", paths[which], name)
		}
		if isPart(route(which)) {
			continue
		}
		if seen[kind] || (kind == metrics.Other) != (route(which) == routeNone) {
			t.Errorf("route %d is counted as %v", which, kind)
		}
		seen[kind] = true
	}
}

func TestStatusRoute(t *testing.T) {
	t.Parallel()
	client := newClient(t)
	client.run([]step{
		{"PUT /v1/keys/a", "", "1", 201, "1"},
		{"HEAD /v1/status", "", "", 200, ""},
		{"GET /v1/status?x=1", "", "", 400, "takes none"},
		{"POST /v1/status", "", "", 405, "GET, HEAD, OPTIONS"},
	})
	_, body := client.do("GET /v1/status", "", "")
	var document struct {
		Interval *float64 `json:"interval_seconds"`
		Running  bool     `json:"server_running"`
		Region   struct {
			Path *string `json:"path"`
			Keys int     `json:"keys"`
		} `json:"region"`
		Workers []struct {
			PID   int    `json:"pid"`
			State string `json:"state"`
		} `json:"workers"`
	}
	if err := json.Unmarshal([]byte(body), &document); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if document.Interval != nil || !document.Running || document.Region.Path != nil || document.Region.Keys != 1 ||
		len(document.Workers) != 1 || document.Workers[0].PID != os.Getpid() || document.Workers[0].State != "ready" {
		t.Errorf("%s", body)
	}
}

// isPart tells whether a route has the files of a page, and counts as the page.
func isPart(which route) bool { return which == routePageFile || which == routeBoardFile }

// TestRefusalsForRoomAreCounted: alone and in a batch, each change.
func TestRefusalsForRoomAreCounted(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	value := `"` + strings.Repeat("x", 500_000) + `"`
	var full []string // keys in shards that have no room
	for i := 0; i < 200 && len(full) < 2; i++ {
		key := "large" + itoa(i)
		if response, _ := c.do("PUT /v1/keys/"+key, "", value); response.StatusCode == 507 {
			full = append(full, key)
		}
	}
	if len(full) < 2 {
		t.Fatal("the region took 100 MB")
	}
	_, body := c.do("POST /v1/batch", "", `[{"op":"get","key":"large0"},{"op":"put","key":"`+full[0]+`","value":`+value+`},{"op":"put","key":"`+full[1]+`","value":`+value+`}]`)
	if n := strings.Count(body, `"status":507`); n != 2 {
		t.Errorf("%d of 2 were refused in a batch", n)
	}
	const refused = 4
	if got := c.commands.Metrics().Sum.Full; got != refused {
		t.Errorf("%d refusals are counted, %d were answered", got, refused)
	}
}
