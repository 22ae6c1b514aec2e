package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/fondue-server/fondue/bench/result"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	golden(t, "compare.golden", func(w io.Writer) error {
		return Compare(w, read(t, "sample"), read(t, "newer"), "constant-2")
	})
}

func TestCompareSaysThatTheBaselineMoved(t *testing.T) {
	t.Parallel()
	const want = "the baseline itself has moved"
	if text := compareText(t, small(10, 11, 12, 13), small(20, 21, 22, 23), "a"); !strings.Contains(text, want) {
		t.Errorf("not said:\n%s", text)
	}
	if text := compareText(t, small(10, 11, 12, 13), small(10, 11, 12, 13), "a"); strings.Contains(text, want) {
		t.Errorf("said of a baseline that has not:\n%s", text)
	}
}

// compareText compares and returns what was said.
func compareText(t *testing.T, older, newer *result.Report, baseline string) string {
	t.Helper()
	var text bytes.Buffer
	if err := Compare(&text, older, newer, baseline); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestCompareWithItself(t *testing.T) {
	t.Parallel()
	text := compareText(t, read(t, "sample"), read(t, "sample"), "constant-2")
	if strings.Contains(text, "better\n") || strings.Contains(text, "WORSE\n") || strings.Contains(text, "differs") {
		t.Errorf("a report differs from itself:\n%s", text)
	}
	if !strings.Contains(text, "\n"+same+" in ") {
		t.Errorf("no clear word that nothing has changed:\n%s", text)
	}
}

// small has one target under one load, with rounds of these costs in µs.
func small(costs ...int) *result.Report {
	load := result.Load{Workload: "increment", Keys: 1, Connections: 8, Network: "tcp", KeepAlive: true, Pipeline: 1, Round: time.Second}
	c := result.Cell{Target: "a", Load: load}
	for _, cost := range costs {
		c.Rounds = append(c.Rounds, result.Round{
			Requests: int64(1e6 / cost), Elapsed: time.Second, User: time.Second,
			Latency: result.Latency{P50: 100, P99: 200, P999: 300},
		})
	}
	return &result.Report{Version: result.Version, Targets: []result.Target{{Name: "a", Workers: 2}}, Cells: []result.Cell{c}}
}

func TestCompareVerdicts(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name       string
		old, new   []int
		want, miss string
	}{
		{"slower", []int{100, 101, 102, 103, 104}, []int{120, 121, 122, 123, 124}, "WORSE", "better"},
		{"faster", []int{100, 101, 102, 103, 104}, []int{80, 81, 82, 83, 84}, "better", "WORSE"},
		{"alike", []int{100, 101, 102, 103, 104}, []int{104, 100, 103, 101, 102}, same, "better"},
		{"too few", []int{100, 101, 102}, []int{200, 201, 202}, "too few rounds to tell", "WORSE"},
		{"none", []int{100, 101, 102, 103}, nil, "not measured", "WORSE"},
	}
	for _, c := range cases {
		text := compareText(t, small(c.old...), small(c.new...), "")
		_, rows, _ := strings.Cut(text, "verdict\n")
		first, _, _ := strings.Cut(rows[strings.Index(rows, rate.name):], "\n")
		if !strings.HasSuffix(first, c.want) || strings.Contains(text, c.miss+"\n") {
			t.Errorf("%s: want %q:\n%s", c.name, c.want, text)
		}
	}
}

func TestCompareNamesWhatDiffers(t *testing.T) {
	t.Parallel()
	change := map[string]func(*result.Report){
		"the machine's CPU differs: , now Z80":         func(r *result.Report) { r.Machine.CPU = "Z80" },
		"the number of CPUs differs: 0, now 2":         func(r *result.Report) { r.Machine.CPUs = 2 },
		"the kernel differs: , now 7":                  func(r *result.Report) { r.Machine.Kernel = "7" },
		"the version of go differs: none, now 2":       func(r *result.Report) { r.Versions = map[string]string{"go": "2"} },
		"a: the number of workers differs: 2, now 4":   func(r *result.Report) { r.Targets[0].Workers = 4 },
		"the measured time of a round differs: 1s, no": func(r *result.Report) { r.Cells[0].Load.Round = time.Minute },
		"the number of rounds differs: 4, now 2":       func(r *result.Report) { r.Cells[0].Rounds = r.Cells[0].Rounds[:2] },
		"only in the old report: a, increment/keys=1/": func(r *result.Report) { r.Cells[0].Load.Connections = 9 },
		"only in the new report: a, increment/keys=1/": func(r *result.Report) { r.Cells[0].Load.Connections = 9 },
		"a lost 0 of 0 increments, now 3 of 10":        func(r *result.Report) { r.Cells[0].Acknowledged, r.Cells[0].Counted = 10, 7 },
		"a failed 0 requests, now 5":                   func(r *result.Report) { r.Cells[0].Rounds[1].Errors = 5 },
	}
	for want, change := range change {
		newer := small(100, 101, 102, 103)
		change(newer)
		if text := compareText(t, small(100, 101, 102, 103), newer, ""); !strings.Contains(text, want) {
			t.Errorf("%q is not said:\n%s", want, text)
		}
	}
}

func TestCompareWantsTheBaselineInBoth(t *testing.T) {
	t.Parallel()
	newer := small(1, 2)
	newer.Targets[0].Name = "b"
	err := Compare(io.Discard, small(1, 2), newer, "a")
	if err == nil || !strings.HasPrefix(fmt.Sprint(err), "new report: ") {
		t.Errorf("error %v, want one about the new report", err)
	}
}
