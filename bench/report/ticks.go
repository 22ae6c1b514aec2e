package report

import (
	"fmt"
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// roundTicks are 4 to 8 at multiples of 1, 2 or 5 times a power of ten.
func roundTicks(low, high float64) []plot.Tick {
	if high <= low {
		return nil
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/4)))
	for _, times := range []float64{5, 2} {
		if (high-low)/(step*times) >= 4 {
			step *= times
			break
		}
	}
	var ticks []plot.Tick
	for n := math.Ceil(low / step); n*step <= high; n++ {
		ticks = append(ticks, plot.Tick{Value: n * step, Label: tickText(n * step)})
	}
	return ticks
}

func tickText(v float64) string {
	if math.Abs(v) >= 1000 {
		return whole(v)
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

// durationTicks are for a logarithmic axis in nanoseconds: each decade, and 2 and 5
// of it where there are few.
func durationTicks(low, high float64) []plot.Tick {
	steps := []float64{1}
	if high/low < 1e3 {
		steps = []float64{1, 2, 5}
	}
	var ticks []plot.Tick
	for decade := math.Pow(10, math.Floor(math.Log10(low))); decade <= high; decade *= 10 {
		for _, s := range steps {
			ticks = append(ticks, plot.Tick{Value: s * decade, Label: durationText(s * decade)})
		}
	}
	return ticks
}

func durationText(ns float64) string {
	for _, unit := range []struct {
		ns   float64
		name string
	}{{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}} {
		if ns >= unit.ns {
			return fmt.Sprintf("%.4g %s", ns/unit.ns, unit.name)
		}
	}
	return fmt.Sprintf("%.4g ns", ns)
}
