package report

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/fondue-server/fondue/bench/result"
	"github.com/fondue-server/fondue/bench/stat"
)

// dimension is what is varied while all else stays.
type dimension struct {
	name string
	log  bool
	of   func(result.Target, result.Load) int
	// line is the name of the line that a cell is a point of, and rest what the lines
	// of one plot have in common. A cell may be in several plots.
	line func(result.Target) string
	rest func(result.Load) []string
}

var dimensions = []dimension{
	{
		name: "workers",
		of:   func(t result.Target, _ result.Load) int { return t.Workers },
		line: family,
		rest: func(l result.Load) []string { return []string{l.Name()} },
	},
	{
		name: "connections", log: true,
		of:   func(_ result.Target, l result.Load) int { return l.Connections },
		line: func(t result.Target) string { return t.Name },
		rest: func(l result.Load) []string { return []string{without(l, "conns")} },
	},
	{
		name: "keys", log: true,
		of:   func(_ result.Target, l result.Load) int { return l.Keys },
		line: func(t result.Target) string { return t.Name },
		rest: func(l result.Load) []string {
			if l.Workload != "increment" || l.Keys != 1 {
				return []string{without(l, "keys")}
			}
			// One key is where every choice of keys begins.
			var rests []string
			for _, l.Workload = range []string{"increment", "increment-uniform", "increment-zipf"} {
				rests = append(rests, without(l, "keys"))
			}
			return rests
		},
	},
}

// without is a load's name less one of its parts.
func without(l result.Load, part string) string {
	return regexp.MustCompile("/"+part+"=[0-9]+").ReplaceAllString(l.Name(), "")
}

// family is a target's name without its number of workers.
func family(t result.Target) string {
	n := strconv.Itoa(t.Workers)
	return regexp.MustCompile(`(^|[-_/ .:])(w|workers?=)?`+n+`(w| ?workers?)?\b`).ReplaceAllString(t.Name, "")
}

// sweeps are the lines over each dimension, for the cost and for the rate.
func (v *View) sweeps() []*figure {
	var figures []*figure
	for _, d := range dimensions {
		plots := map[string][]result.Cell{}
		for _, c := range v.report.Cells {
			for _, rest := range d.rest(c.Load) {
				plots[rest] = append(plots[rest], c)
			}
		}
		for _, rest := range slices.Sorted(maps.Keys(plots)) {
			for _, m := range []metric{cpu, rate} {
				if f := v.sweep(d, rest, plots[rest], m); f != nil {
					figures = append(figures, f)
				}
			}
		}
	}
	return figures
}

// series are the points of one line, by their place on the axis.
type series struct {
	name   string
	index  int // of its first target, for its looks
	points map[int]stat.Spread
}

// collect makes a series of each line that has two points or more.
func (v *View) collect(d dimension, cells []result.Cell, m metric) []series {
	var all []series
	for _, c := range cells {
		t, s := v.target(c.Target), m.spread(c)
		place := d.of(t, c.Load)
		if s.N == 0 || place < 1 {
			continue // not measured, or nothing of the kind
		}
		name := d.line(t)
		i := slices.IndexFunc(all, func(s series) bool { return s.name == name })
		if i < 0 {
			i = len(all)
			all = append(all, series{name, max(0, v.index(c.Target)), map[int]stat.Spread{}})
		}
		all[i].points[place] = s
	}
	return slices.DeleteFunc(all, func(s series) bool { return len(s.points) < 2 })
}

// sweep is nil where no line has two points.
func (v *View) sweep(d dimension, rest string, cells []result.Cell, m metric) *figure {
	all := v.collect(d, cells, m)
	if len(all) == 0 {
		return nil
	}
	title, file, scale := "CPU of the server per request over "+d.name+": lower and flatter is better", "cpu-over-", 1e-3
	if m.moreIsBetter {
		title, file, scale = "Requests per second over "+d.name+": more is better", "rate-over-", 1.0
	}
	f := newFigure(file+d.name+"-"+fileText(rest), title, rest+"; medians of the rounds, lowest to highest", v.foot(), 380)
	f.withKey()
	f.addGrid()
	var most float64
	var places []int
	for i, s := range all {
		var points plotter.XYs
		for _, at := range slices.Sorted(maps.Keys(s.points)) {
			spread := s.points[at]
			places = append(places, at)
			most = max(most, spread.High*scale)
			points = append(points, plotter.XY{X: float64(at), Y: spread.Median * scale})
			f.plot.Add(whisker{
				low: spread.Low * scale, high: spread.High * scale, at: float64(at),
				style: draw.LineStyle{Color: colours[s.index%len(colours)], Width: 0.8},
				aside: 3 * (vg.Length(i) - vg.Length(len(all)-1)/2),
			})
		}
		f.addLine(s.name, points, s.index, true)
	}
	f.plot.X.Label.Text, f.plot.Y.Label.Text = d.name, m.name
	slices.Sort(places)
	places = slices.Compact(places)
	f.place(places, d.log)
	f.plot.Y.Tick.Marker = plot.TickerFunc(roundTicks)
	f.plot.Y.Min, f.plot.Y.Max = 0, most*1.05 // from 0: what is flat looks flat
	return f
}

// place labels the X axis where there are points, and leaves room beside the outer
// ones for their whiskers.
func (f *figure) place(places []int, log bool) {
	var ticks plot.ConstantTicks
	for _, at := range places {
		ticks = append(ticks, plot.Tick{Value: float64(at), Label: whole(float64(at))})
	}
	f.plot.X.Tick.Marker = ticks
	low, high := float64(places[0]), float64(places[len(places)-1])
	if log {
		f.plot.X.Scale = plot.LogScale{}
		room := math.Pow(high/low, 0.04)
		low, high = low/room, high*room
	} else {
		room := 0.04 * (high - low)
		low, high = low-room, high+room
	}
	f.plot.X.Min, f.plot.X.Max = low, high
}
