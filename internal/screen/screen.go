// Package screen shows a table in the terminal, and makes it anew again and again until
// somebody has seen enough.
package screen

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gdamore/tcell/v2"

	"github.com/fondue-server/fondue/internal/status"
)

// Config says what is shown.
type Config struct {
	First status.Document
	// Look is asked for what is to be shown next, each Interval. Its error is shown in
	// place of it, and it is asked again.
	Look     func() (status.Document, error)
	Interval time.Duration
}

// Run has the terminal until somebody leaves by key or ctx ends, and then gives it back
// as it was. So it does when something panics.
func (c Config) Run(ctx context.Context) error {
	terminal, err := tcell.NewScreen()
	if err == nil {
		err = terminal.Init()
	}
	if err != nil {
		return fmt.Errorf("the terminal cannot be drawn on: %w; --once prints the table", err)
	}
	return c.on(ctx, terminal)
}

// on shows it on a screen that is initialised, and finishes it.
func (c Config) on(ctx context.Context, terminal tcell.Screen) error {
	defer terminal.Fini()
	// A region whose file is cut off under it faults: that is to be a panic, too, which
	// passes by Fini.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	terminal.HideCursor()
	s := &show{Config: c, terminal: terminal, document: c.First}
	s.loop(ctx)
	return nil
}

// loop is the one goroutine that reads the region and draws.
func (s *show) loop(ctx context.Context) {
	events, quit := make(chan tcell.Event), make(chan struct{})
	defer close(quit)
	go s.terminal.ChannelEvents(events, quit) // until quit
	tick := time.NewTicker(s.Interval)
	defer tick.Stop()
	for {
		s.draw()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if !s.paused {
				s.look()
			}
		case event, open := <-events:
			if !open || s.leave(event) {
				return
			}
		}
	}
}

// show is what is on the screen.
type show struct {
	Config
	terminal tcell.Screen
	document status.Document
	err      error // of the last look
	paused   bool
}

func (s *show) look() {
	document, err := s.Look()
	if s.err = err; err == nil {
		s.document = document
	}
}

// leave takes a key or another event, and says whether it ends the show.
func (s *show) leave(event tcell.Event) bool {
	switch e := event.(type) {
	case *tcell.EventResize:
		s.terminal.Sync()
	case *tcell.EventError:
		return true // the terminal is gone
	case *tcell.EventKey:
		switch {
		case e.Key() == tcell.KeyEscape, e.Key() == tcell.KeyCtrlC, e.Key() == tcell.KeyRune && (e.Rune() == 'q' || e.Rune() == 'Q'):
			return true
		case e.Key() == tcell.KeyRune && (e.Rune() == 'p' || e.Rune() == 'P'):
			if s.paused = !s.paused; !s.paused {
				s.look()
			}
		case e.Key() == tcell.KeyCtrlL:
			s.terminal.Sync()
		}
	}
	return false
}

var styles = map[status.Role]tcell.Style{
	status.Plain:   tcell.StyleDefault,
	status.Title:   tcell.StyleDefault.Bold(true),
	status.Heading: tcell.StyleDefault.Reverse(true),
	status.Alarm:   tcell.StyleDefault.Foreground(tcell.ColorRed).Bold(true),
	status.Notice:  tcell.StyleDefault.Foreground(tcell.ColorYellow),
}

// draw fills the screen. The last line is the foot, which tells the keys.
func (s *show) draw() {
	width, height := s.terminal.Size()
	s.terminal.Clear()
	for y, line := range s.lines(width, height-1) {
		s.put(y, width, line)
	}
	s.put(height-1, width, s.foot())
	s.terminal.Show()
}

func (s *show) lines(width, height int) []status.Line {
	if width < 1 || height < 1 {
		return nil
	}
	if s.err != nil {
		return append(wrapped(s.err.Error(), width), status.Line{}, status.Line{Text: fmt.Sprintf("Looking again each %v.", s.Interval)})
	}
	return status.Table(&s.document, width, height)
}

// wrapped breaks a text that may be longer than a line.
func wrapped(text string, width int) (lines []status.Line) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, status.Line{Text: line, Role: status.Alarm})
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, status.Line{Text: line, Role: status.Alarm})
}

func (s *show) foot() status.Line {
	if s.paused {
		return status.Line{Text: "PAUSED   p goes on   q quits", Role: status.Notice}
	}
	return status.Line{Text: fmt.Sprintf("each %v   p pauses   q quits", s.Interval)}
}

// put writes a line. A heading goes all the way.
func (s *show) put(y, width int, line status.Line) {
	style := styles[line.Role]
	x := 0
	for _, r := range line.Text {
		if x == width {
			return
		}
		s.terminal.SetContent(x, y, r, nil, style)
		x++
	}
	if line.Role == status.Heading {
		for ; x < width; x++ {
			s.terminal.SetContent(x, y, ' ', nil, style)
		}
	}
}
