package metrics

import (
	"bytes"
	"fmt"
	"math"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/fondue-server/fondue/internal/shm"
)

// busy is a region in which two slots have counted, one of which is free again.
func busy(t testing.TB) *shm.Region {
	t.Helper()
	r, err := shm.NewHeap(shm.Geometry{Size: 4 << 20, Slots: 8})
	if err != nil {
		t.Fatal(err)
	}
	master, _, err := r.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	for slot := range 2 {
		id, err := master.Claim(slot)
		if err != nil {
			t.Fatal(err)
		}
		w, err := r.Attach(id)
		if err != nil {
			t.Fatal(err)
		}
		master.Spawned(id, 100+slot)
		w.SetState(shm.StateReady)
		w.SetMemory(5 << 20)
		w.SetCPU(1500 * time.Millisecond)
		w.ConnOpened()
		for i := range 10 {
			w.CountAnswer(int(Increment), shm.Done, time.Duration(i)*7*time.Microsecond)
		}
		w.CountAnswer(int(Key), shm.Refused, time.Minute)
		w.CountAnswer(int(Key), shm.Failed, 300*time.Millisecond)
		w.CountReceived(1000)
		w.CountSent(2000)
		w.CountLookup(true)
		w.CountLookup(slot == 0)
		if _, err := w.Put([]byte("k"), shm.Put{Value: shm.IntegerValue(1), TTL: time.Hour}); err != nil {
			t.Fatal(err)
		}
		if slot == 1 {
			w.ConnClosed()
			if _, err := master.Recover(id); err != nil {
				t.Fatal(err)
			}
		}
	}
	return r
}

// parse reads the plain format with the reference parser.
func parse(t *testing.T, text []byte) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return families
}

// value is the one sample with these labels, pairs of name and value.
func value(t *testing.T, families map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	t.Helper()
	family := families[name]
	if family == nil {
		t.Fatalf("no family %s", name)
	}
	found, n := 0.0, 0
	for _, m := range family.GetMetric() {
		same := true
		for i := 0; i < len(labels); i += 2 {
			has := false
			for _, l := range m.GetLabel() {
				has = has || l.GetName() == labels[i] && l.GetValue() == labels[i+1]
			}
			same = same && has
		}
		if same {
			n++
			found = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	if n != 1 {
		t.Errorf("%s%v: %d samples, want 1", name, labels, n)
	}
	return found
}

func TestText(t *testing.T) {
	t.Parallel()
	r := busy(t)
	snapshot := Take(r)
	text := snapshot.Append([]byte("before"), Text)
	if !bytes.HasPrefix(text, []byte("before")) {
		t.Error("it does not append")
	}
	text = text[len("before"):]
	families := parse(t, text)
	for _, c := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"fondue_http_requests_total", []string{"route", "/increment", "code", "2xx"}, 20},
		{"fondue_http_requests_total", []string{"route", "/v1/keys/{key}", "code", "4xx"}, 2},
		{"fondue_http_requests_total", []string{"route", "/v1/keys/{key}", "code", "5xx"}, 2},
		{"fondue_http_requests_total", []string{"route", "/report", "code", "2xx"}, 0},
		{"fondue_http_received_bytes_total", nil, 2000},
		{"fondue_http_sent_bytes_total", nil, 4000},
		{"fondue_connections", nil, 1},
		{"fondue_connections_accepted_total", nil, 2},
		{"fondue_workers", []string{"state", "ready"}, 1},
		{"fondue_workers", []string{"state", "draining"}, 0},
		{"fondue_restarts_total", nil, 0},
		{"fondue_worker_requests_total", []string{"slot", "0"}, 12},
		{"fondue_worker_requests_total", []string{"slot", "1"}, 12}, // its process is gone, what it counted is not
		{"fondue_worker_errors_total", []string{"slot", "1"}, 1},
		{"fondue_worker_cpu_seconds_total", []string{"slot", "1"}, 1.5},
		{"fondue_worker_connections", []string{"slot", "0"}, 1},
		{"fondue_worker_resident_memory_bytes", []string{"slot", "0"}, 5 << 20},
		{"fondue_region_size_bytes", nil, 4 << 20},
		{"fondue_keys", nil, 1},
		{"fondue_keys_expiring", nil, 1},
		{"fondue_lookup_hits_total", nil, 3},
		{"fondue_lookup_misses_total", nil, 1},
		{"fondue_evicted_keys_total", nil, 0},
		{"fondue_recoveries_total", nil, 0},
	} {
		if got := value(t, families, c.name, c.labels...); got != c.want {
			t.Errorf("%s%v is %v, want %v", c.name, c.labels, got, c.want)
		}
	}
	if n := len(families["fondue_worker_connections"].GetMetric()); n != 1 {
		t.Errorf("%d slots have connections, want the living one's alone", n)
	}
	h := families["fondue_http_request_duration_seconds"].GetMetric()[0].GetHistogram()
	sum := 2 * (45*7e-6 + 60 + 0.3)
	if h.GetSampleCount() != 24 || math.Abs(h.GetSampleSum()-sum) > 1e-9 || len(h.GetBucket()) != len(shm.LatencyBounds)+1 {
		t.Errorf("latency: %d answers of %v s in %d buckets", h.GetSampleCount(), h.GetSampleSum(), len(h.GetBucket()))
	}
	last := uint64(0)
	for i, b := range h.GetBucket() {
		if b.GetCumulativeCount() < last || i > 0 && b.GetUpperBound() <= h.GetBucket()[i-1].GetUpperBound() {
			t.Errorf("bucket %d: %v", i, b)
		}
		last = b.GetCumulativeCount()
	}
	if below := h.GetBucket()[4]; below.GetUpperBound() != 50e-6 || below.GetCumulativeCount() != 16 {
		t.Errorf("up to 50 us: %v, want 16", below)
	}
}

// TestNothingFalls: what a slot has counted stays in the sums, though no master has
// noted its process, and though its kinds are of a later version.
func TestNothingFalls(t *testing.T) {
	t.Parallel()
	r := busy(t)
	before := Take(r)
	master, _, err := r.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	id, err := master.Claim(5)
	if err != nil {
		t.Fatal(err)
	}
	w, err := r.Attach(id)
	if err != nil {
		t.Fatal(err)
	}
	w.CountAnswer(shm.MaxKinds-1, shm.Done, 0)
	if err := w.Detach(); err != nil {
		t.Fatal(err)
	}
	after := Take(r)
	if got, want := after.Sum.Answers.All(), before.Sum.Answers.All()+1; got != want {
		t.Errorf("%d answers, want %d", got, want)
	}
	if n := value(t, parse(t, after.Append(nil, Text)), "fondue_http_requests_total", "route", "unknown", "code", "2xx"); n != 1 {
		t.Errorf("%v answers of an unknown kind", n)
	}
}

// TestLint is what promtool's check of metrics says.
func TestLint(t *testing.T) {
	t.Parallel()
	snapshot := Take(busy(t))
	problems, err := promlint.New(bytes.NewReader(snapshot.Append(nil, Text))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestOpenMetrics reads that format with its reference parser, and finds in it what
// the plain one has.
func TestOpenMetrics(t *testing.T) {
	t.Parallel()
	snapshot := Take(busy(t))
	text := snapshot.Append(nil, OpenMetrics)
	if !bytes.HasSuffix(text, []byte("\n# EOF\n")) {
		t.Error("it has no end")
	}
	const reader = `
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
    for s in family.samples:
        print(s.name, sorted(s.labels.items()), float(s.value))
`
	python, err := exec.LookPath("/usr/bin/python3")
	if err == nil {
		err = exec.Command(python, "-c", "import prometheus_client").Run()
	}
	if err != nil {
		t.Skipf("the reference parser of OpenMetrics is not there; apt-get install python3-prometheus-client: %v", err)
	}
	command := exec.Command(python, "-c", reader)
	command.Stdin = bytes.NewReader(text)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, out, text)
	}
	samples := 0
	for line := range strings.Lines(string(snapshot.Append(nil, Text))) {
		if !strings.HasPrefix(line, "#") {
			samples++
		}
	}
	if n := strings.Count(string(out), "\n"); n != samples {
		t.Errorf("%d samples, the plain format has %d", n, samples)
	}
	for _, want := range []string{
		"fondue_http_requests_total [('code', '2xx'), ('route', '/increment')] 20.0\n",
		"fondue_http_request_duration_seconds_bucket [('le', '1.0')] 22.0\n",
		"fondue_worker_cpu_seconds_total [('slot', '0')] 1.5\n",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// TestNothingIsLeftOut: every family is described, with a unit that ends its name, and
// all counters of a slot's meters are in the text.
func TestNothingIsLeftOut(t *testing.T) {
	t.Parallel()
	snapshot := Take(busy(t))
	text := string(snapshot.Append(nil, OpenMetrics))
	for line := range strings.Lines(text) {
		rest, found := strings.CutPrefix(line, "# UNIT ")
		if name, unit, _ := strings.Cut(strings.TrimSpace(rest), " "); found && !strings.HasSuffix(name, "_"+unit) {
			t.Errorf("%s does not end with its unit %s", name, unit)
		}
	}
	for kind := range kinds {
		for _, code := range outcomeNames {
			if !strings.Contains(text, `{route="`+kind.String()+`",code="`+code+`"}`) {
				t.Errorf("no row for %s, %s", kind, code)
			}
		}
	}
}

// BenchmarkScrape is what one scrape costs the worker that answers it, by the number
// of workers.
func BenchmarkScrape(b *testing.B) {
	for _, n := range []int{2, 64, 1000} {
		b.Run(fmt.Sprintf("workers=%d", n), func(b *testing.B) {
			r, err := shm.NewHeap(shm.Geometry{Size: 32 << 20, Slots: n})
			if err != nil {
				b.Fatal(err)
			}
			master, _, err := r.AttachMaster(false)
			if err != nil {
				b.Fatal(err)
			}
			for range n {
				id, err := master.Claim(-1)
				if err != nil {
					b.Fatal(err)
				}
				w, err := r.Attach(id)
				if err != nil {
					b.Fatal(err)
				}
				master.Spawned(id, 1)
				w.SetState(shm.StateReady)
				w.CountAnswer(int(Increment), shm.Done, time.Millisecond)
			}
			var page []byte
			b.ReportAllocs()
			for b.Loop() {
				snapshot := Take(r)
				page = snapshot.Append(page[:0], Text)
			}
		})
	}
}
