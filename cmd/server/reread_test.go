package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/master"
)

// restart is what a server was started with, and may be asked to read again.
type restart struct {
	t     *testing.T
	path  string
	again func() (master.Settings, []string, error)
}

func startWith(t *testing.T, text string, args ...string) *restart {
	t.Helper()
	r := &restart{t: t, path: configFile(t, text)}
	args = append(args, "--config", r.path)
	lookup := func(string) (string, bool) { return "", false }
	s := newServeOptions()
	_, flags, err := s.read(args, lookup)
	if err != nil {
		t.Fatal(err)
	}
	r.again = func() (master.Settings, []string, error) { return s.reread(flags, args, lookup) }
	return r
}

// change rewrites the file and reads it again.
func (r *restart) change(text string) (master.Settings, []string, error) {
	r.t.Helper()
	if err := os.WriteFile(r.path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return r.again()
}

func TestReread(t *testing.T) {
	t.Parallel()
	r := startWith(t, "workers = 2\nregion-size = '32MiB'\nevict = 'clock'", "--log-level", "warn")
	s, fixed, err := r.change("workers = 4\nregion-size = 33554432\nlog-level = 'debug'\nmax-requests = 7\nfast-lane = 'off'")
	if err != nil || len(fixed) != 0 || s.Workers != 4 || s.Evict || s.LogLevel != "warn" || s.MaxRequests != 7 || s.FastLane {
		t.Errorf("%+v, %q, %v", s, fixed, err)
	}
	s, fixed, err = r.change("listen = ':1'\nworkers = 3\nmax-workers = 128\nfresh = true\nlog-format = 'json'\nargs = {a = 1}\npid-file = 'x'\nsteer = 'cpu'\nsched-policy = 'batch'")
	if want := []string{"args", "fresh", "listen", "log-format", "max-workers", "pid-file", "sched-policy", "steer"}; err != nil || !slices.Equal(slices.Sorted(slices.Values(fixed)), want) || s.Workers != 3 {
		t.Errorf("%+v, %q, %v", s, fixed, err)
	}
	for _, text := range []string{"workers = ", "workers = 'x'", "wrokers = 1", "listen = '8000'", "join = true\nfresh = true"} {
		if _, _, err := r.change(text); err == nil {
			t.Errorf("%q passes", text)
		}
	}
	if err := os.Remove(r.path); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.again(); err == nil || !strings.Contains(err.Error(), r.path) {
		t.Errorf("a file that is gone: %v", err)
	}
}

// TestRereadLooksAtNoContent: what a server began with is not asked for again.
func TestRereadLooksAtNoContent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	preload, args := filepath.Join(dir, "p"), filepath.Join(dir, "a")
	for _, path := range []string{preload, args} {
		if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := "preload = '" + preload + "'\nargs = '@" + args + "'\n"
	r := startWith(t, text)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, fixed, err := r.change(text); err != nil || len(fixed) != 0 {
		t.Errorf("%q, %v", fixed, err)
	}
	if _, fixed, err := r.change("preload = '/nowhere'"); err != nil || !slices.Equal(fixed, []string{"preload", "args"}) {
		t.Errorf("%q, %v", fixed, err)
	}
}

// TestRereadActivated: sockets that were passed are not taken for a change.
func TestRereadActivated(t *testing.T) {
	t.Parallel()
	for name, pass := range map[string]func(*serveOptions){
		"to this server":       func(s *serveOptions) { s.activated = []int{firstActivated} },
		"to the one before it": func(s *serveOptions) { s.passedBefore = true },
	} {
		s, lookup := newServeOptions(), func(string) (string, bool) { return "", false }
		pass(s)
		_, flags, err := s.read(nil, lookup)
		if err != nil {
			t.Fatal(err)
		}
		if _, fixed, err := s.reread(flags, nil, lookup); err != nil || len(fixed) > 0 {
			t.Errorf("passed %s: %q, %v", name, fixed, err)
		}
	}
}

// TestRereadDefaultWorkers: their default keeps to the slots of the start.
func TestRereadDefaultWorkers(t *testing.T) {
	t.Parallel()
	r := startWith(t, "max-workers = 1")
	if s, _, err := r.change("max-workers = 64"); err != nil || s.Workers != 1 {
		t.Errorf("%d workers, %v", s.Workers, err)
	}
	r = startWith(t, "max-workers = 8\nworkers = 8")
	if s, _, err := r.change("max-workers = 4\nworkers = 8"); err != nil || s.Workers != 8 {
		t.Errorf("%d workers, %v", s.Workers, err)
	}
}
