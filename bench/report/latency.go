package report

import (
	"fmt"
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/fondue-server/fondue/bench/result"
)

// keyEach is the height of a name in the key, in points.
const keyEach vg.Length = 12

// nines is how far the axis of percentiles goes: 99.99 %.
const nines = 4

// latencyLines show the latency at each percentile, over all targets, from the
// histograms of all rounds taken together; nil where no cell has any.
func (v *View) latencyLines(load result.Load) (*figure, error) {
	f := newFigure("latency-"+fileText(load.Name()), "Latency by percentile: lower is better", load.Name()+"; all rounds together", v.foot(), max(430, barFrame+keyEach*vg.Length(len(v.cells(load)))))
	f.withKey()
	f.plot.X.Label.Text = "share of the requests that took no longer"
	f.plot.X.Tick.Marker = plot.ConstantTicks{
		{Value: 0, Label: "0"},
		{Value: -math.Log10(0.5), Label: "50 %"},
		{Value: 1, Label: "90 %"},
		{Value: 2, Label: "99 %"},
		{Value: 3, Label: "99.9 %"},
		{Value: nines, Label: "99.99 %"},
	}
	f.plot.Y.Label.Text = "latency"
	f.plot.Y.Scale, f.plot.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(durationTicks)
	f.addGrid()
	drawn := false
	for _, c := range v.cells(load) {
		all, err := merged(c)
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", c.Target, load.Name(), err)
		}
		if all == nil {
			continue
		}
		drawn = true
		var points plotter.XYs
		for x := 0.0; x <= min(nines, math.Log10(float64(all.TotalCount()))); x += 0.05 {
			at := all.ValueAtQuantile(100 * (1 - math.Pow(10, -x)))
			points = append(points, plotter.XY{X: x, Y: float64(max(at, all.Min(), 1))}) // above 0, for the logarithm
		}
		f.addLine(c.Target, points, v.index(c.Target), false)
	}
	if !drawn {
		return nil, nil
	}
	f.plot.X.Max = nines
	return f, nil
}

// merged is the histogram of all rounds; nil for none.
func merged(c result.Cell) (*hdrhistogram.Histogram, error) {
	var all *hdrhistogram.Histogram
	for _, r := range c.Rounds {
		if r.Latency.Histogram == "" {
			continue
		}
		h, err := hdrhistogram.Decode([]byte(r.Latency.Histogram))
		if err != nil {
			return nil, fmt.Errorf("a histogram that cannot be read: %w", err)
		}
		if all == nil {
			all = h
		} else {
			all.Merge(h)
		}
	}
	if all != nil && all.TotalCount() == 0 {
		return nil, nil
	}
	return all, nil
}
