package report

import (
	"maps"
	"regexp"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
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
	return regexp.MustCompile(`[-_/ .:]?(w|workers?=?)?\b`+n+`(w| ?workers?)?\b`).ReplaceAllString(t.Name, "")
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

// sweep is nil where no line has two points.
func (v *View) sweep(d dimension, rest string, cells []result.Cell, m metric) *figure {
	title, file, scale := "CPU of the server per request over "+d.name+": low and flat is better", "cpu-over-", 1e-3
	if m.moreIsBetter {
		title, file, scale = "Requests per second over "+d.name+": more is better", "rate-over-", 1.0
	}
	f := newFigure(file+d.name+"-"+fileText(rest), title, rest+"; medians of rounds, lowest to highest", v.foot(), 380)
	f.withKey()
	f.addGrid()
	places := map[int]bool{}
	all := map[string]map[int]stat.Spread{}
	var names []string
	first := map[string]int{}
	for _, c := range cells {
		t := v.target(c.Target)
		name, s := d.line(t), m.spread(c)
		if s.N == 0 {
			continue
		}
		if all[name] == nil {
			all[name] = map[int]stat.Spread{}
			names = append(names, name)
			first[name] = max(0, v.index(c.Target))
		}
		all[name][d.of(t, c.Load)] = s
	}
	var most float64
	for _, name := range names {
		if len(all[name]) < 2 {
			continue
		}
		var points plotter.XYs
		for _, at := range slices.Sorted(maps.Keys(all[name])) {
			s := all[name][at]
			places[at] = true
			points = append(points, plotter.XY{X: float64(at), Y: s.Median * scale})
			f.plot.Add(whisker{low: s.Low * scale, high: s.High * scale, at: float64(at),
				style: draw.LineStyle{Color: colours[first[name]%len(colours)], Width: 0.8}})
			most = max(most, s.High*scale)
		}
		f.addLine(name, points, first[name], true)
	}
	if len(places) == 0 {
		return nil
	}
	f.plot.X.Label.Text, f.plot.Y.Label.Text = d.name, m.name
	if d.log {
		f.plot.X.Scale = plot.LogScale{}
	}
	var ticks plot.ConstantTicks
	for _, at := range slices.Sorted(maps.Keys(places)) {
		ticks = append(ticks, plot.Tick{Value: float64(at), Label: whole(float64(at))})
	}
	f.plot.X.Tick.Marker = ticks
	f.plot.Y.Tick.Marker = plot.TickerFunc(wholeTicks)
	f.plot.Y.Min, f.plot.Y.Max = 0, most*1.05 // from 0: what is flat looks flat
	return f
}
