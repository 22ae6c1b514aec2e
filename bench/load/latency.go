package load

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fondue-server/fondue/bench/result"
)

// Latencies are kept from 100 ns to a minute, to three figures (0.1 %), or to two
// where so many connections would take gigabytes for their histograms.
const (
	shortest        = 100 * time.Nanosecond
	longest         = time.Minute
	fineConnections = 512
)

// latencies are one connection's. Nothing is allocated once they are made.
type latencies struct {
	histogram *hdrhistogram.Histogram
	max       time.Duration
}

func newLatencies(connections int) latencies {
	figures := 3
	if connections > fineConnections {
		figures = 2
	}
	return latencies{histogram: hdrhistogram.New(int64(shortest), int64(longest), figures)}
}

func (l *latencies) record(d time.Duration) {
	l.max = max(l.max, d)
	// In range, and so no error is possible.
	_ = l.histogram.RecordValue(int64(min(max(d, 0), longest)))
}

func (l *latencies) add(other *latencies) {
	l.max = max(l.max, other.max)
	l.histogram.Merge(other.histogram)
}

func (l *latencies) result() (result.Latency, error) {
	text, err := l.histogram.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return result.Latency{}, fmt.Errorf("histogram of latencies: %w", err)
	}
	// A percentile is the upper end of its bucket, which is beyond the maximum when
	// that is in the same one.
	at := func(p float64) int64 { return min(l.histogram.ValueAtPercentile(p), int64(l.max)) }
	return result.Latency{
		P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: int64(l.max),
		Histogram: string(text),
	}, nil
}
