package main

import (
	"fmt"
	"slices"
	"time"
)

func printRound(name string, c config, m sample) {
	fmt.Printf("%s %d %.0f ns/op %.0f req/s %.0f cpu-ns/req %d p50-ns %d p99-ns\n",
		benchName("HTTPIncrement", fmt.Sprintf("server=%s/workers=%d/conns=%d", name, c.workers, c.connections)),
		m.requests, float64(m.elapsed.Nanoseconds())/float64(m.requests), m.perSecond, m.per,
		m.p50.Nanoseconds(), m.p99.Nanoseconds())
}

// printComparison prints medians, and the median of the ratios of the two
// rounds that were measured one after the other.
func printComparison(fondue, constant []sample) {
	rows := []struct {
		what   string
		of     func(sample) float64
		format string
	}{
		{"requests/s", func(m sample) float64 { return m.perSecond }, "%.0f"},
		{"CPU us/request", func(m sample) float64 { return m.per / 1e3 }, "%.2f"},
		{"p50 us", func(m sample) float64 { return micros(m.p50) }, "%.0f"},
		{"p99 us", func(m sample) float64 { return micros(m.p99) }, "%.0f"},
	}
	fmt.Printf("# %-16s %12s %12s   %s\n", "median", "fondue", "constant", "paired ratio: median (lowest to highest)")
	for _, row := range rows {
		a, b := values(fondue, row.of), values(constant, row.of)
		var ratios []float64
		for i := range a {
			ratios = append(ratios, a[i]/b[i])
		}
		fmt.Printf("# %-16s %12s %12s   %.3f (%.3f to %.3f)\n", row.what,
			fmt.Sprintf(row.format, median(a)), fmt.Sprintf(row.format, median(b)),
			median(ratios), quantile(ratios, 0), quantile(ratios, 1))
	}
	fmt.Println("# the generator shares the CPUs with the server; CPU/request is the server's alone")
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

func values(samples []sample, of func(sample) float64) []float64 {
	var list []float64
	for _, m := range samples {
		list = append(list, of(m))
	}
	return list
}

func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile interpolates between the two nearest ranks.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}
