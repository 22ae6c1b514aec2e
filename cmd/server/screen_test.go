package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/e2e"
)

// terminal is a pseudo terminal with a command on it.
type terminal struct {
	command *exec.Cmd
	ours    *os.File // what a person types and sees
	theirs  *os.File
	mu      sync.Mutex
	seen    strings.Builder
	before  *unix.Termios
}

func onTerminal(t *testing.T, kind string, args ...string) *terminal {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { ours.Close() })
	n, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	if err := unix.IoctlSetWinsize(int(theirs.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		t.Fatal(err)
	}
	x := &terminal{ours: ours, theirs: theirs}
	x.before = x.modes(t)
	x.command = exec.Command(e2e.Binary(t), args...)
	x.command.Stdin, x.command.Stdout, x.command.Stderr = theirs, theirs, theirs
	x.command.Env = []string{"TERM=" + kind}
	x.command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := x.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // until the terminal is closed
		buffer := make([]byte, 4096)
		for {
			n, err := ours.Read(buffer)
			x.mu.Lock()
			x.seen.Write(buffer[:n])
			x.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return x
}

func (x *terminal) modes(t *testing.T) *unix.Termios {
	t.Helper()
	modes, err := unix.IoctlGetTermios(int(x.theirs.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return modes
}

func (x *terminal) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.seen.String()
}

// wantEnd waits for a good end that leaves the terminal as it was.
func (x *terminal) wantEnd(t *testing.T, name string) {
	t.Helper()
	kill := time.AfterFunc(20*time.Second, func() { _ = x.command.Process.Kill() })
	defer kill.Stop()
	if err := x.command.Wait(); err != nil {
		t.Errorf("%s: %v\n%q", name, err, x.text())
	}
	if after := x.modes(t); *after != *x.before {
		t.Errorf("%s: the terminal was left as %+v, it was %+v", name, after, x.before)
	}
}

const (
	enter = "\x1b[?1049h" // the screen beside the one that the shell writes on
	leave = "\x1b[?1049l"
)

func TestStatusOnATerminal(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{})
	see := func(x *terminal, what string) {
		t.Helper()
		e2e.Eventually(t, 20*time.Second, what, func() bool { return strings.Contains(x.text(), what) })
	}
	for name, end := range map[string]func(*terminal) error{
		"q":       func(x *terminal) error { _, err := x.ours.WriteString("q"); return err },
		"Ctrl-C":  func(x *terminal) error { _, err := x.ours.WriteString("\x03"); return err },
		"SIGTERM": func(x *terminal) error { return x.command.Process.Signal(syscall.SIGTERM) },
	} {
		x := onTerminal(t, "xterm-256color", "status", "--interval", "100ms", "--region", s.Region)
		see(x, "q quits")
		see(x, fmt.Sprint("master ", s.PID))
		if err := end(x); err != nil {
			t.Fatal(err)
		}
		x.wantEnd(t, name)
		see(x, leave)
		if text := x.text(); strings.Count(text, enter) != 1 || strings.Index(text, enter) > strings.Index(text, leave) {
			t.Errorf("%s: %q", name, text)
		}
	}
	for name, x := range map[string]*terminal{
		"dumb":   onTerminal(t, "dumb", "status", "--interval", "100ms", "--region", s.Region),
		"--once": onTerminal(t, "xterm", "status", "--once", "--interval", "100ms", "--region", s.Region),
	} {
		x.wantEnd(t, name)
		see(x, "SLOT")
		if strings.Contains(x.text(), "\x1b") {
			t.Errorf("%s: %q", name, x.text())
		}
		for line := range strings.Lines(x.text()) {
			if len(strings.TrimRight(line, "\r\n")) > 80 {
				t.Errorf("%s: wider than the terminal: %q", name, line)
			}
		}
	}
	x := onTerminal(t, "unheard-of", "status", "--region", s.Region)
	if err := x.command.Wait(); err == nil {
		t.Error("a terminal that nobody knows")
	}
	see(x, "--once prints the table")
	s.Stop()
}
