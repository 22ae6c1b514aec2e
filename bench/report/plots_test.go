package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/bench/result"
)

func TestPlots(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made")
	paths, err := view(t, "sample", "constant-2").Plots(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range paths {
		name, form := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)), filepath.Ext(path)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		switch form {
		case ".png":
			names = append(names, name)
			checkPNG(t, name, text)
		case ".svg":
			checkSVG(t, name, text)
		default:
			t.Errorf("%s is neither PNG nor SVG", path)
		}
	}
	want := []string{
		"cpu-increment-keys-1-conns-64", "cpu-near-increment-keys-1-conns-64",
		"cpu-over-connections-increment-keys-1", "cpu-over-keys-increment-uniform-conns-64", "cpu-over-workers-increment-keys-1-conns-64",
		"latency-increment-keys-1-conns-64", "rate-increment-keys-1-conns-64", "rate-near-increment-keys-1-conns-64",
		"rate-over-connections-increment-keys-1", "rate-over-keys-increment-uniform-conns-64", "rate-over-workers-increment-keys-1-conns-64",
	}
	slices.Sort(names)
	if !slices.Equal(names, want) || len(paths) != 2*len(names) {
		t.Errorf("plots %q, each in 2 forms of %d files; want %q", names, len(paths), want)
	}
}

// checkPNG wants the right size, and ink on it.
func checkPNG(t *testing.T, name string, text []byte) {
	t.Helper()
	image, err := png.Decode(bytes.NewReader(text))
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	size := image.Bounds().Size()
	if size.X != int(width)*dpi/72 || size.Y < 300 || size.Y > 1200 {
		t.Errorf("%s is %v", name, size)
	}
	seen := map[[3]uint32]bool{}
	for y := 0; y < size.Y; y += 3 {
		for x := 0; x < size.X; x += 3 {
			r, g, b, _ := image.At(x, y).RGBA()
			seen[[3]uint32{r, g, b}] = true
		}
	}
	if len(seen) < 10 {
		t.Errorf("%s has %d colours: is anything drawn?", name, len(seen))
	}
}

// checkSVG wants XML that says which way is better and where the figures are from.
func checkSVG(t *testing.T, name string, text []byte) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(text)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
	}
	for _, want := range []string{"is better", "AMD EPYC", "2026-11-21", "fondue 0.4.0", "sans-serif"} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("%s does not say %q", name, want)
		}
	}
}

// TestPlotsOfLittle draws reports that were cut short.
func TestPlotsOfLittle(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		report *result.Report
		plots  int
	}{
		"nothing":                {&result.Report{}, 0},
		"no round":               {small(), 2},
		"one round":              {small(10), 2},
		"a round without answer": {small(2e6), 2},
		"a target that nobody described": {func() *result.Report {
			r := small(10)
			r.Targets = nil
			return r
		}(), 0},
	}
	for name, c := range cases {
		v, err := New(c.report, "")
		if err != nil {
			t.Fatal(err)
		}
		paths, err := v.Plots(t.TempDir())
		if err != nil || len(paths) != 2*c.plots {
			t.Errorf("%s: %d files, error %v; want %d plots", name, len(paths), err, c.plots)
		}
	}
}

func TestPlotsOfABrokenHistogram(t *testing.T) {
	t.Parallel()
	r := small(10)
	r.Cells[0].Rounds[0].Latency.Histogram = "no histogram"
	v, err := New(r, "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Plots(t.TempDir()); err == nil || !strings.Contains(err.Error(), "a, increment/keys=1/conns=8: ") {
		t.Errorf("error %v, want one that names target and load", err)
	}
}

func TestFamily(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		workers int
		want    string
	}{
		{"fondue-2", 2, "fondue"},
		{"fondue-2-shared", 2, "fondue-shared"},
		{"fondue/workers=4/accept=shared", 4, "fondue/accept=shared"},
		{"fondue-w16", 16, "fondue"},
		{"fondue-4w", 4, "fondue"},
		{"fondue 8 workers", 8, "fondue"},
		{"fondue-16", 1, "fondue-16"},
		{"http2", 2, "http2"},
		{"nginx-lua", 2, "nginx-lua"},
	}
	for _, c := range cases {
		if got := family(result.Target{Name: c.name, Workers: c.workers}); got != c.want {
			t.Errorf("%s with %d workers is of %q, want %q", c.name, c.workers, got, c.want)
		}
	}
}

func TestRoundTicks(t *testing.T) {
	t.Parallel()
	cases := []struct {
		low, high float64
		want      string
	}{
		{0, 100, "0 20 40 60 80 100"},
		{0, 22.8, "0 5 10 15 20"},
		{0, 92e3, "0 20,000 40,000 60,000 80,000"},
		{0, 0.9, "0 0.2 0.4 0.6 0.8"},
		{3, 3, ""},
	}
	for _, c := range cases {
		var labels []string
		for _, tick := range roundTicks(c.low, c.high) {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("from %v to %v: %q, want %q", c.low, c.high, got, c.want)
		}
	}
}

func TestDurationTicks(t *testing.T) {
	t.Parallel()
	labels := map[string]bool{}
	for _, tick := range durationTicks(150e3, 2e9) {
		labels[tick.Label] = true
	}
	for _, want := range []string{"100 µs", "1 ms", "10 ms", "100 ms", "1 s"} {
		if !labels[want] {
			t.Errorf("no tick at %s: %v", want, labels)
		}
	}
	if labels["2 ms"] {
		t.Error("too many ticks over four decades")
	}
}

// TestOneKeyBeginsEveryLineOfKeys: an increment of one key is where each choice
// among keys begins.
func TestOneKeyBeginsEveryLineOfKeys(t *testing.T) {
	t.Parallel()
	v := view(t, "sample", "")
	i := slices.IndexFunc(dimensions, func(d dimension) bool { return d.name == "keys" })
	var cells []result.Cell
	for _, c := range v.report.Cells {
		if slices.Contains(dimensions[i].rest(c.Load), "increment-uniform/conns=64") {
			cells = append(cells, c)
		}
	}
	all := v.collect(dimensions[i], cells, cpu)
	if len(all) != 3 {
		t.Fatalf("%d lines, want those of the three targets with several numbers of keys", len(all))
	}
	for _, s := range all {
		for _, keys := range []int{1, 1000, 1000000} {
			if s.points[keys].N != sampleRounds {
				t.Errorf("%s has %d rounds at %d keys, want %d", s.name, s.points[keys].N, keys, sampleRounds)
			}
		}
	}
}
