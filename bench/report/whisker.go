package report

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// capHalf is half the length of a whisker's end, in points.
const capHalf vg.Length = 3

// whisker is a line from the lowest to the highest at a place of the other axis.
type whisker struct {
	low, high, at float64
	style         draw.LineStyle
	flat          bool      // along the X axis
	aside         vg.Length // moved by so much, so as not to cover another one
}

// Plot draws it.
func (w whisker) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	point := func(along float64, across vg.Length) vg.Point {
		if w.flat {
			return vg.Point{X: x(along), Y: y(w.at) + w.aside + across}
		}
		return vg.Point{X: x(w.at) + w.aside + across, Y: y(along)}
	}
	for _, line := range [][]vg.Point{
		{point(w.low, 0), point(w.high, 0)},
		{point(w.low, -capHalf), point(w.low, capHalf)},
		{point(w.high, -capHalf), point(w.high, capHalf)},
	} {
		c.StrokeLines(w.style, c.ClipLinesXY(line)...)
	}
}

// DataRange makes the axes reach as far.
func (w whisker) DataRange() (xmin, xmax, ymin, ymax float64) {
	if w.flat {
		return w.low, w.high, w.at, w.at
	}
	return w.at, w.at, w.low, w.high
}
