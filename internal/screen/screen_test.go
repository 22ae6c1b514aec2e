package screen

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"github.com/fondue-server/fondue/internal/status"
)

const patience = 10 * time.Second

// stage is a screen that is shown on nothing, and what is said to it.
type stage struct {
	t      *testing.T
	screen *mirror
	ended  chan error
	cancel context.CancelFunc
	looks  atomic.Int64
	mu     sync.Mutex
	err    error
}

// start shows documents whose number of keys is the number of the look.
func start(t *testing.T, interval time.Duration) *stage {
	t.Helper()
	s := &stage{t: t, screen: &mirror{SimulationScreen: tcell.NewSimulationScreen("")}, ended: make(chan error, 1)}
	if err := s.screen.Init(); err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(t.Context())
	c := Config{First: document(0), Interval: interval, Look: func() (status.Document, error) {
		n := s.looks.Add(1)
		s.mu.Lock()
		defer s.mu.Unlock()
		return document(n), s.err
	}}
	go func() { s.ended <- c.on(ctx, s.screen) }()
	return s
}

func document(looks int64) status.Document {
	return status.Document{Region: status.Region{Path: "/region", Keys: uint64(looks)}}
}

func (s *stage) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *stage) text() string {
	text, _ := s.screen.text.Load().(string)
	return text
}

// mirror keeps what was shown last. The screen's own cells are the show's to read.
type mirror struct {
	tcell.SimulationScreen
	text atomic.Value
}

func (m *mirror) Show() {
	m.SimulationScreen.Show()
	cells, width, height := m.GetContents()
	var text strings.Builder
	for i := range min(width*height, len(cells)) {
		if c := cells[i]; len(c.Runes) > 0 {
			text.WriteRune(c.Runes[0])
		}
		if i%width == width-1 {
			text.WriteByte('\n')
		}
	}
	m.text.Store(text.String())
}

func (s *stage) wait(what string) {
	s.t.Helper()
	s.until(what, func() bool { return strings.Contains(s.text(), what) })
}

func (s *stage) until(what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("not %q in\n%s", what, s.text())
		}
	}
}

func (s *stage) end() {
	s.t.Helper()
	select {
	case err := <-s.ended:
		if err != nil {
			s.t.Error(err)
		}
	case <-time.After(patience):
		s.t.Fatal("the show goes on")
	}
}

func TestKeysEnd(t *testing.T) {
	t.Parallel()
	for name, press := range map[string]func(*stage){
		"q":      func(s *stage) { s.screen.InjectKey(tcell.KeyRune, 'q', 0) },
		"Esc":    func(s *stage) { s.screen.InjectKey(tcell.KeyEscape, 0, 0) },
		"Ctrl-C": func(s *stage) { s.screen.InjectKey(tcell.KeyCtrlC, 0, tcell.ModCtrl) },
		"signal": func(s *stage) { s.cancel() },
	} {
		s := start(t, time.Hour)
		s.wait("/region")
		s.screen.InjectKey(tcell.KeyRune, 'x', 0) // means nothing
		press(s)
		s.end()
		if t.Failed() {
			t.Log(name)
		}
	}
}

func TestShowsAndRedraws(t *testing.T) {
	t.Parallel()
	s := start(t, time.Millisecond)
	s.wait("fondue /region")
	s.wait("q quits")
	s.until("three looks", func() bool { return s.looks.Load() >= 3 })
	s.screen.InjectKey(tcell.KeyRune, 'p', 0)
	s.wait("PAUSED")
	at := s.looks.Load()
	time.Sleep(20 * time.Millisecond) // many intervals
	if n := s.looks.Load(); n != at {
		t.Errorf("%d looks while paused", n-at)
	}
	s.screen.SetSize(40, 10) // also while paused
	s.screen.PostEvent(tcell.NewEventResize(40, 10))
	s.until("ten lines", func() bool { return strings.Count(s.text(), "\n") == 10 })
	if text := s.text(); len(strings.SplitN(text, "\n", 2)[0]) != 40 || !strings.Contains(text, "fondue /region") {
		t.Errorf("resized:\n%s", text)
	}
	s.screen.InjectKey(tcell.KeyRune, 'p', 0)
	s.wait("p pauses")
	s.until("another look", func() bool { return s.looks.Load() > at })
	for _, size := range [][2]int{{1, 1}, {200, 2}, {3, 80}} {
		s.screen.SetSize(size[0], size[1])
		s.screen.PostEvent(tcell.NewEventResize(size[0], size[1]))
		s.until("another height", func() bool { return strings.Count(s.text(), "\n") == size[1] })
	}
	s.cancel()
	s.end()
}

// TestVanished: what cannot be read is said in place of the table, which comes back.
func TestVanished(t *testing.T) {
	t.Parallel()
	s := start(t, time.Millisecond)
	s.wait("fondue /region")
	s.fail(errors.New("region /a/rather/long/path/that/leads/to/nothing does not exist; " + strings.Repeat("and ", 30) + "so on"))
	s.wait("does not exist")
	s.wait("so on") // of what is longer than a line
	s.wait("Looking again each 1ms")
	if strings.Contains(s.text(), "fondue /region") {
		t.Errorf("the table is still there:\n%s", s.text())
	}
	s.fail(nil)
	s.wait("fondue /region")
	s.cancel()
	s.end()
}

// TestPanicGivesTheTerminalBack: the screen is finished before anybody hears of it.
func TestPanicGivesTheTerminalBack(t *testing.T) {
	t.Parallel()
	screen := &finished{SimulationScreen: tcell.NewSimulationScreen("")}
	if err := screen.Init(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil || !screen.done {
			t.Errorf("finished %v", screen.done)
		}
	}()
	_ = Config{Interval: time.Millisecond, Look: func() (status.Document, error) { panic("a fault") }}.on(t.Context(), screen)
}

type finished struct {
	tcell.SimulationScreen
	done bool
}

func (f *finished) Fini() {
	f.done = true
	f.SimulationScreen.Fini()
}
