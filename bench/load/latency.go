package load

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fondue-server/fondue/bench/result"
)

// Latencies are kept from 100 ns to a minute, to three figures (0.1 %).
const (
	shortest = 100 * time.Nanosecond
	longest  = time.Minute
	figures  = 3
)

// latencies are one loop's. Nothing is allocated once they are made.
type latencies struct {
	histogram *hdrhistogram.Histogram
	max       time.Duration
	// What a batch brings has one latency, which is recorded once: the last one, and
	// how many times it is not yet in the histogram.
	last  time.Duration
	times int64
}

func newLatencies() latencies {
	return latencies{histogram: hdrhistogram.New(int64(shortest), int64(longest), figures)}
}

func (l *latencies) record(d time.Duration) {
	if d != l.last {
		l.flush()
		l.last = d
	}
	l.times++
}

func (l *latencies) flush() {
	if l.times == 0 {
		return
	}
	l.max = max(l.max, l.last)
	// In range, and so no error is possible.
	_ = l.histogram.RecordValues(int64(min(max(l.last, 0), longest)), l.times)
	l.times = 0
}

// add takes over those of another, which is at its end.
func (l *latencies) add(other *latencies) {
	other.flush()
	l.max = max(l.max, other.max)
	l.histogram.Merge(other.histogram)
}

func (l *latencies) result() (result.Latency, error) {
	l.flush()
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
