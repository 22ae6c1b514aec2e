package report

import (
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/fondue-server/fondue/bench/result"
)

// near is how many times the best figure a bar may be to stand in the plot that
// leaves the far ones out.
const near = 5

// Plots writes all plots into dir, each as PNG and as SVG, and returns their paths.
func (v *View) Plots(dir string) ([]string, error) {
	figures := v.sweeps()
	for _, load := range v.wideLoads() {
		cells := v.cells(load)
		for _, bars := range []func(string, string, []result.Cell) *figure{v.rateBars, v.cpuBars} {
			figures = append(figures, bars("", load.Name(), cells))
			if few := nearest(cells); len(few) > 1 && len(few) < len(cells) {
				figures = append(figures, bars("-near", fmt.Sprintf("%s, those within %d times the least CPU", load.Name(), near), few))
			}
		}
		lines, err := v.latencyLines(load)
		if err != nil {
			return nil, err
		}
		if lines != nil {
			figures = append(figures, lines)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var paths []string
	for _, f := range figures {
		saved, err := f.save(dir)
		paths = append(paths, saved...)
		if err != nil {
			return paths, err
		}
	}
	return paths, nil
}

// wideLoads are those that at least half as many targets have run as any: what few
// have run is a point on a line, and no plot of its own.
func (v *View) wideLoads() []result.Load {
	most := 0
	for _, load := range v.loads() {
		most = max(most, len(v.cells(load)))
	}
	var wide []result.Load
	for _, load := range v.loads() {
		if n := len(v.cells(load)); n > 0 && 2*n >= most {
			wide = append(wide, load)
		}
	}
	return wide
}

// nearest leaves out what costs many times as much as the cheapest.
func nearest(cells []result.Cell) []result.Cell {
	least := math.Inf(1)
	for _, c := range cells {
		if s := cpu.spread(c); s.N > 0 {
			least = min(least, s.Median)
		}
	}
	var few []result.Cell
	for _, c := range cells {
		if s := cpu.spread(c); s.N > 0 && s.Median <= near*least {
			few = append(few, c)
		}
	}
	return few
}

// foot is the origin in one line: a plot is passed on without its page.
func (v *View) foot() string {
	r := v.report
	text := originLine(r)
	if version, ok := r.Versions["fondue"]; ok {
		text += ", fondue " + version
	}
	return text
}

// fileText is a name that can be part of a file's.
func fileText(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-':
			return r
		}
		return '-'
	}, name)
}
