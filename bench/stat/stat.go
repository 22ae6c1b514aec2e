// Package stat is the arithmetic of noisy measurements: medians, spreads, paired
// ratios, and whether two samples differ. Values that are no number (a round
// without an answer) are left out everywhere.
package stat

import (
	"math"
	"slices"
)

// Spread is a sample in short.
type Spread struct {
	N                 int
	Median, Low, High float64 // NaN without values; Low and High are the lowest and the highest
}

// Of sums a sample up.
func Of(values []float64) Spread {
	known := finite(values)
	return Spread{len(known), Quantile(known, 0.5), Quantile(known, 0), Quantile(known, 1)}
}

// Median of the values; NaN for none.
func Median(values []float64) float64 { return Quantile(values, 0.5) }

// Quantile interpolates between the two nearest ranks; NaN for no values.
func Quantile(values []float64, q float64) float64 {
	sorted := finite(values)
	if len(sorted) == 0 {
		return math.NaN()
	}
	slices.Sort(sorted)
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

// Ratios are a[i]/b[i], as far as there are pairs. The order of rounds is kept, so
// a pair without a number stays in its place as NaN.
func Ratios(a, b []float64) []float64 {
	ratios := make([]float64, min(len(a), len(b)))
	for i := range ratios {
		ratios[i] = a[i] / b[i]
		if math.IsInf(ratios[i], 0) {
			ratios[i] = math.NaN()
		}
	}
	return ratios
}

// finite returns a copy without what is no number.
func finite(values []float64) []float64 {
	known := make([]float64, 0, len(values))
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			known = append(known, v)
		}
	}
	return known
}
