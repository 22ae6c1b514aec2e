package report

import (
	"fmt"
	"image/color"
	"io"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Sizes of a figure, in points of 1/72 inch. A PNG has dpi points to the inch.
const (
	width    vg.Length = 648
	margin   vg.Length = 8
	titleAt  vg.Length = 13
	textAt   vg.Length = 10
	footAt   vg.Length = 8
	dpi                = 144
	keyWidth vg.Length = 130
)

// The colours of Okabe and Ito, which the colour-blind can tell apart, without the
// yellow, which is hard to see on white.
var colours = []color.RGBA{
	{0x00, 0x72, 0xb2, 0xff}, {0xd5, 0x5e, 0x00, 0xff}, {0x00, 0x9e, 0x73, 0xff}, {0xcc, 0x79, 0xa7, 0xff},
	{0xe6, 0x9f, 0x00, 0xff}, {0x56, 0xb4, 0xe9, 0xff}, {0x00, 0x00, 0x00, 0xff},
}

var grey = color.RGBA{0x70, 0x70, 0x70, 0xff}

// figure is one plot, with its key beside it and its origin below.
type figure struct {
	name   string // of the file, without its ending
	plot   *plot.Plot
	key    *plot.Legend // nil where the axis names everything
	height vg.Length
	foot   string
}

func newFigure(name, title, subtitle, foot string, height vg.Length) *figure {
	p := plot.New()
	p.Title.Text = title + "\n" + subtitle
	p.Title.Padding = 2 * margin
	p.Title.TextStyle.Font = sans(titleAt)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font = sans(textAt)
		axis.Label.Padding = margin / 2
		axis.Tick.Label.Font = sans(textAt)
	}
	return &figure{name: name, plot: p, height: height, foot: foot}
}

// withKey makes room for the names of lines.
func (f *figure) withKey() {
	key := plot.NewLegend()
	key.Top, key.Left = true, true
	key.TextStyle.Font = sans(textAt)
	key.ThumbnailWidth = 30
	key.Padding = 3
	f.key = &key
}

func sans(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

func (f *figure) draw(c draw.Canvas) {
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	c = draw.Crop(c, margin, -2*margin, margin, -margin)
	foot := f.plot.X.Tick.Label
	foot.Font, foot.Color = sans(footAt), grey
	foot.XAlign, foot.YAlign = draw.XLeft, draw.YBottom
	c.FillText(foot, c.Min, f.foot)
	c = draw.Crop(c, 0, 0, 2*footAt, 0)
	if f.key != nil {
		f.key.Draw(draw.Crop(c, width-2*margin-keyWidth, 0, 0, -4*titleAt))
		c = draw.Crop(c, 0, -keyWidth-margin, 0, 0)
	}
	f.plot.Draw(c)
}

// save writes both forms into dir and returns their paths.
func (f *figure) save(dir string) ([]string, error) {
	image := vgimg.NewWith(vgimg.UseWH(width, f.height), vgimg.UseDPI(dpi))
	f.draw(draw.New(image))
	vector := vgsvg.New(width, f.height)
	f.draw(draw.New(vector))
	var paths []string
	for _, form := range []struct {
		ending string
		of     io.WriterTo
	}{{".png", vgimg.PngCanvas{Canvas: image}}, {".svg", vector}} {
		path := filepath.Join(dir, f.name+form.ending)
		if err := write(path, form.of); err != nil {
			return paths, fmt.Errorf("plot: %w", err)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

func write(path string, from io.WriterTo) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := from.WriteTo(file); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}
