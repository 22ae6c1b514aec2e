package load

import (
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

func TestLatenciesMerge(t *testing.T) {
	t.Parallel()
	var parts [4]latencies
	for i := range parts {
		parts[i] = newLatencies()
	}
	for i := range 100_000 {
		parts[i%len(parts)].record(time.Duration(i+1) * time.Microsecond)
	}
	all := newLatencies()
	for i := range parts {
		all.add(&parts[i])
	}
	got, err := all.result()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		got, want int64
	}{
		{"p50", got.P50, 50_000_000},
		{"p90", got.P90, 90_000_000},
		{"p99", got.P99, 99_000_000},
		{"p99.9", got.P999, 99_900_000},
	} {
		if c.got < c.want || float64(c.got) > float64(c.want)*1.001 {
			t.Errorf("%s is %d, want %d and 0.1 %% more at most", c.name, c.got, c.want)
		}
	}
	if got.Max != 100_000_000 {
		t.Errorf("max %d, want it exact", got.Max)
	}
	h, err := hdrhistogram.Decode([]byte(got.Histogram))
	if err != nil {
		t.Fatal(err)
	}
	if h.TotalCount() != 100_000 || h.ValueAtPercentile(50) != got.P50 {
		t.Errorf("the encoded histogram has %d values and a median of %d", h.TotalCount(), h.ValueAtPercentile(50))
	}
}

func TestLatenciesBeyondTheRangeAreKept(t *testing.T) {
	t.Parallel()
	l := newLatencies()
	l.record(-time.Second)
	l.record(time.Hour)
	got, err := l.result()
	if err != nil {
		t.Fatal(err)
	}
	if l.histogram.TotalCount() != 2 || got.Max != int64(time.Hour) || got.P999 < int64(longest) {
		t.Errorf("%d values, %+v", l.histogram.TotalCount(), got)
	}
}

func TestNoLatencies(t *testing.T) {
	t.Parallel()
	l := newLatencies()
	if got, err := l.result(); err != nil || got.P50 != 0 || got.Max != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}
