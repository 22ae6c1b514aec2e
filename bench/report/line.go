package report

import (
	"image/color"
	"slices"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/fondue-server/fondue/bench/result"
)

// lineWidth is in points.
const lineWidth vg.Length = 1.6

// A line has its colour, and its dashes and marks besides: there are more targets
// than colours that everybody can tell apart.
var (
	dashes = [][]vg.Length{nil, {6, 3}, {1.5, 2.5}, {8, 2, 2, 2}}
	marks  = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}}
)

// index of a target: it looks the same in all plots of a report.
func (v *View) index(target string) int {
	return slices.IndexFunc(v.report.Targets, func(t result.Target) bool { return t.Name == target })
}

func (f *figure) addGrid() {
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{0xdd}, color.Gray{0xdd}
	f.plot.Add(grid)
}

func (f *figure) addLine(name string, points plotter.XYs, index int, marked bool) {
	line, dots, err := plotter.NewLinePoints(points)
	if err != nil {
		panic(err) // points are made of known numbers
	}
	line.Color = colours[index%len(colours)]
	line.Width = lineWidth
	line.Dashes = dashes[index/len(colours)%len(dashes)]
	f.plot.Add(line)
	if !marked {
		f.key.Add(name, line)
		return
	}
	dots.Color, dots.Shape, dots.Radius = line.Color, marks[index%len(marks)], 3.2
	f.plot.Add(dots)
	f.key.Add(name, line, dots)
}
