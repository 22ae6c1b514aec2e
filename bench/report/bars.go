package report

import (
	"cmp"
	"fmt"
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/fondue-server/fondue/bench/result"
	"github.com/fondue-server/fondue/bench/stat"
)

// Sizes of bars, in points.
const (
	barEach  vg.Length = 24 // a bar with the space around it
	barWidth vg.Length = 13
	barFrame vg.Length = 120 // title, axis and foot
)

// band is a part of a bar: the values of the bars in their order, and its colour.
type band struct {
	name   string
	values plotter.Values
	colour color.Color
}

// rateBars show requests a second, the best on top.
func (v *View) rateBars(suffix, subtitle string, cells []result.Cell) *figure {
	cells = sorted(cells, rate)
	f := v.bars("rate"+suffix, "Requests per second: more is better", subtitle, rate.name, cells)
	var one band
	one.colour = colours[0]
	for _, c := range cells {
		one.values = append(one.values, known0(rate.spread(c)))
	}
	f.addBands([]band{one})
	f.addWhiskers(cells, rate, 1, func(c result.Cell) string { return whole(rate.spread(c).Median) })
	return f
}

// cpuBars show the server's CPU for a request, the least on top.
func (v *View) cpuBars(suffix, subtitle string, cells []result.Cell) *figure {
	cells = sorted(cells, cpu)
	slices.Reverse(cells)
	f := v.bars("cpu"+suffix, "CPU of the server per request: less is better", subtitle, cpu.name, cells)
	f.withKey()
	bands := []band{{name: "user", colour: colours[0]}, {name: "system", colour: colours[5]}}
	for _, c := range cells {
		// The parts add up to the median of the whole, which the whiskers belong to.
		whole, u, s := known0(cpu.spread(c)), known0(user.spread(c)), known0(system.spread(c))
		share := 0.0
		if u+s > 0 {
			share = u / (u + s)
		}
		bands[0].values = append(bands[0].values, whole*share/1e3)
		bands[1].values = append(bands[1].values, whole*(1-share)/1e3)
	}
	f.addBands(bands)
	f.addWhiskers(cells, cpu, 1e-3, func(c result.Cell) string { return micros(cpu.spread(c).Median) })
	return f
}

// bars makes the frame. The first of the cells is at the bottom.
func (v *View) bars(name, title, subtitle, axis string, cells []result.Cell) *figure {
	name += "-" + fileText(cells[0].Load.Name())
	subtitle += fmt.Sprintf("; medians of %d rounds, lowest to highest", len(cells[0].Rounds))
	f := newFigure(name, title, subtitle, v.foot(), barFrame+vg.Length(len(cells))*barEach)
	f.plot.X.Label.Text = axis
	f.plot.X.Tick.Marker = plot.TickerFunc(roundTicks)
	var names []string
	for _, c := range cells {
		label := c.Target
		if slices.Contains(v.baselines, c.Target) {
			label += " (baseline)"
		}
		names = append(names, label)
	}
	f.plot.NominalY(names...)
	return f
}

func (f *figure) addBands(bands []band) {
	grid := plotter.NewGrid()
	grid.Horizontal.Width = 0
	grid.Vertical.Color = color.Gray{0xdd}
	f.plot.Add(grid)
	var below *plotter.BarChart
	for _, b := range bands {
		// No error: there is a bar at least, and no value that is not a number.
		chart, err := plotter.NewBarChart(b.values, barWidth)
		if err != nil {
			panic(err)
		}
		chart.Horizontal, chart.Color, chart.LineStyle.Width = true, b.colour, 0
		if below != nil {
			chart.StackOn(below)
		}
		below = chart
		f.plot.Add(chart)
		if f.key != nil {
			f.key.Add(b.name, chart)
		}
	}
	f.plot.X.Min = 0
}

// addWhiskers draws the lowest and the highest of each bar, and its median as a
// number to the right.
func (f *figure) addWhiskers(cells []result.Cell, m metric, scale float64, text func(result.Cell) string) {
	style := draw.LineStyle{Color: color.Black, Width: 0.8}
	labels := plotter.XYLabels{}
	most := 0.0
	for i, c := range cells {
		s := m.spread(c)
		low, high := 0.0, 0.0
		if s.N > 0 {
			low, high = s.Low*scale, s.High*scale
			f.plot.Add(whisker{low: low, high: high, at: float64(i), style: style, flat: true})
		}
		most = max(most, high)
		labels.XYs = append(labels.XYs, plotter.XY{X: high, Y: float64(i)})
		labels.Labels = append(labels.Labels, text(c))
	}
	numbers, err := plotter.NewLabels(labels)
	if err != nil {
		panic(err) // as many labels as points
	}
	numbers.Offset = vg.Point{X: 5, Y: 1}
	for i := range numbers.TextStyle {
		numbers.TextStyle[i].Font = sans(textAt)
		numbers.TextStyle[i].YAlign = draw.YCenter
	}
	f.plot.Add(numbers)
	f.plot.X.Max = most * 1.12 // room for the number of the longest bar
	f.plot.Y.Min, f.plot.Y.Max = -0.5, float64(len(cells))-0.5
	if most == 0 {
		f.plot.X.Max = 1
	}
}

func sorted(cells []result.Cell, m metric) []result.Cell {
	return slices.SortedStableFunc(slices.Values(cells), func(a, b result.Cell) int {
		return cmp.Compare(known0(m.spread(a)), known0(m.spread(b)))
	})
}

// known0 is the median, and 0 where there is none: a bar without length.
func known0(s stat.Spread) float64 {
	if s.N == 0 {
		return 0
	}
	return s.Median
}
