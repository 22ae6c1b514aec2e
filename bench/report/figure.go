package report

import (
	"bytes"
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
	width   vg.Length = 648
	margin  vg.Length = 8
	titleAt vg.Length = 14
	textAt  vg.Length = 10
	footAt  vg.Length = 8
	dpi               = 144
)

// The colours of Okabe and Ito, which the colour-blind can tell apart, without the
// yellow, which is hard to see on white.
var colours = []color.RGBA{
	{0x00, 0x72, 0xb2, 0xff},
	{0xd5, 0x5e, 0x00, 0xff},
	{0x00, 0x9e, 0x73, 0xff},
	{0xcc, 0x79, 0xa7, 0xff},
	{0xe6, 0x9f, 0x00, 0xff},
	{0x56, 0xb4, 0xe9, 0xff},
	{0x00, 0x00, 0x00, 0xff},
}

var grey = color.RGBA{0x70, 0x70, 0x70, 0xff}

// figure is one plot, with its key beside it and its origin below.
type figure struct {
	name                  string // of the file, without its ending
	title, subtitle, foot string
	plot                  *plot.Plot
	key                   *plot.Legend // nil where the axis names everything
	height                vg.Length
}

func newFigure(name, title, subtitle, foot string, height vg.Length) *figure {
	p := plot.New()
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font = sans(textAt)
		axis.Label.Padding = margin / 2
		axis.Tick.Label.Font = sans(textAt)
	}
	return &figure{name: name, title: title, subtitle: subtitle, foot: foot, plot: p, height: height}
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
	write := func(text string, y, size vg.Length, ink color.Color) {
		style := f.plot.X.Tick.Label
		style.Font, style.Color = sans(size), ink
		style.XAlign, style.YAlign = draw.XLeft, draw.YBottom
		c.FillText(style, vg.Point{X: c.Min.X, Y: y}, text)
	}
	write(f.title, c.Max.Y-1.5*titleAt, titleAt, color.Black)
	write(f.subtitle, c.Max.Y-1.5*titleAt-1.6*textAt, textAt, grey)
	write(f.foot, c.Min.Y, footAt, grey)
	c = draw.Crop(c, 0, 0, 2*footAt, -1.5*titleAt-3*textAt)
	if f.key != nil {
		room := f.key.Rectangle(c).Size().X + margin
		f.key.Draw(draw.Crop(c, c.Max.X-c.Min.X-room, 0, 0, 0))
		c = draw.Crop(c, 0, -room-2*margin, 0, 0)
	}
	f.plot.Draw(c)
}

// save writes both forms into dir and returns their paths.
func (f *figure) save(dir string) ([]string, error) {
	image := vgimg.NewWith(vgimg.UseWH(width, f.height), vgimg.UseDPI(dpi))
	f.draw(draw.New(image))
	vector := vgsvg.New(width, f.height)
	f.draw(draw.New(vector))
	var svg bytes.Buffer
	if _, err := vector.WriteTo(&svg); err != nil {
		return nil, fmt.Errorf("plot: %w", err)
	}
	// Where the font is missing, one of the same widths takes its place.
	text := bytes.NewReader(bytes.ReplaceAll(svg.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")))
	var paths []string
	for _, form := range []struct {
		ending string
		of     io.WriterTo
	}{{".png", vgimg.PngCanvas{Canvas: image}}, {".svg", text}} {
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
