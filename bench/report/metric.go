package report

import (
	"math"

	"github.com/fondue-server/fondue/bench/result"
	"github.com/fondue-server/fondue/bench/stat"
)

// metric is what is read from a round.
type metric struct {
	name   string
	of     func(result.Round) float64
	format func(float64) string
	// moreIsBetter is the direction in which a change is an improvement.
	moreIsBetter bool
}

var (
	rate   = metric{"requests/s", ratePerSecond, whole, true}
	cpu    = metric{"CPU, µs/request", result.Round.CPU, micros, false}
	user   = metric{"user", func(r result.Round) float64 { return float64(r.User) / float64(r.Requests) }, micros, false}
	system = metric{"system", func(r result.Round) float64 { return float64(r.System) / float64(r.Requests) }, micros, false}
	// The generator's own, which bounds the rate that a server can show.
	generator = metric{"generator's CPU, µs/request", generatorPerRequest, micros, false}
	waited    = metric{"waited for a CPU, µs/request", waitedPerRequest, micros, false}
	p50       = metric{"p50, µs", latency(func(l result.Latency) int64 { return l.P50 }), micros, false}
	p99       = metric{"p99, µs", latency(func(l result.Latency) int64 { return l.P99 }), micros, false}
	p999      = metric{"p99.9, µs", latency(func(l result.Latency) int64 { return l.P999 }), micros, false}
)

// ratePerSecond is 0 for a round in which nothing was answered, and no number for
// one that never ran.
func ratePerSecond(r result.Round) float64 {
	if r.Elapsed <= 0 {
		return math.NaN()
	}
	return r.Rate()
}

// waitedPerRequest is no number where it was not measured: a kernel may not tell, and
// older reports have not asked.
func waitedPerRequest(r result.Round) float64 {
	if r.Waited == 0 {
		return math.NaN()
	}
	return float64(r.Waited) / float64(r.Requests)
}

// generatorPerRequest is no number where it was not measured, as in older reports.
func generatorPerRequest(r result.Round) float64 {
	if r.Generator == 0 {
		return math.NaN()
	}
	return float64(r.Generator) / float64(r.Requests)
}

// latency of a round without an answer is no number.
func latency(of func(result.Latency) int64) func(result.Round) float64 {
	return func(r result.Round) float64 {
		if r.Requests == 0 {
			return math.NaN()
		}
		return float64(of(r.Latency))
	}
}

// values has one for each round, in order, so that rounds stay pairs.
func (m metric) values(c result.Cell) []float64 {
	values := make([]float64, len(c.Rounds))
	for i, r := range c.Rounds {
		values[i] = m.of(r)
	}
	return values
}

func (m metric) spread(c result.Cell) stat.Spread { return stat.Of(m.values(c)) }

// show prints "median (lowest–highest)".
func (m metric) show(c result.Cell) string { return spreadText(m.spread(c), m.format) }
