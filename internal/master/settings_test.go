package master

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
)

func TestDifferences(t *testing.T) {
	t.Parallel()
	if names := (Settings{Workers: 2}).differences(Settings{Workers: 2}); names != nil {
		t.Errorf("%q of equal ones", names)
	}
	// Each field is noticed, those that will be added included.
	kind := reflect.TypeFor[Settings]()
	for i := range kind.NumField() {
		now := Settings{}
		switch field := reflect.ValueOf(&now).Elem().Field(i); field.Kind() {
		case reflect.String:
			field.SetString("x")
		case reflect.Bool:
			field.SetBool(true)
		case reflect.Uint64:
			field.SetUint(1)
		default:
			field.SetInt(1)
		}
		if names := now.differences(Settings{}); len(names) != 1 {
			t.Errorf("%s: %q", kind.Field(i).Name, names)
		}
	}
}

// Settings that cannot be read change nothing.
func TestReloadIsRefused(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.startServing()
		f.pass(time.Second)
		told := len(f.service)
		f.refused, f.settings.Workers = errors.New("a comma too many"), 4
		f.signal(unix.SIGHUP)
		f.expectNothing()
		f.wantLog(`msg="reload is refused, everything stays as it is" reason="a comma too many"`)
		if len(f.service) != told {
			t.Errorf("the service manager was told %q", f.service[told:])
		}
		f.refused = nil
		f.settings.Workers = 2
		f.signal(unix.SIGHUP)
		f.expect("claim 2", "spawn 2.0")
		f.close()
	})
}

// One that is refused leaves a reload under way as it is, too.
func TestReloadIsRefusedWhileOneRuns(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.hup()
		f.refused = errors.New("a comma too many")
		f.signal(unix.SIGHUP)
		f.expect("claim 2", "spawn 2.0")
		f.says(103, isReady)
		f.expect("SIGTERM 101", "claim 3", "spawn 3.0")
		f.says(104, isReady)
		f.wantLog("msg=reloaded workers=2")
		f.close()
	})
}

// The new seats come first, and their workers are not replaced.
func TestReloadScalesUp(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		var of []int
		outfit := f.crew.outfit
		f.startServing()
		f.crew.outfit = func(s *seat, id shm.ID) (handoff.Worker, []int) {
			of = append(of, len(f.crew.seats))
			return outfit(s, id)
		}
		f.pass(time.Second)
		f.settings.Workers = 3
		f.signal(unix.SIGHUP)
		f.expect("claim 1", "sockets 2", "steer [true false]", "claim 2", "sockets 3", "steer [true false false]",
			"spawn 1.0", "spawn 2.0", "claim 3", "spawn 3.0")
		f.says(102, isReady)
		f.says(103, isReady)
		f.expect("steer [true true false]", "steer [true true true]")
		f.says(104, isReady)
		f.expect("SIGTERM 101")
		f.wantLog("msg=reloaded workers=1")
		if !reflect.DeepEqual(of, []int{3, 3, 3}) {
			t.Errorf("workers were started as some of %v, want of 3 each", of)
		}
		f.close()
	})
}

func TestReloadScalesDown(t *testing.T) {
	perform(t, 3, func(f *theatre) {
		f.startServing()
		f.pass(time.Second)
		f.settings.Workers = 1
		f.signal(unix.SIGHUP)
		f.expect("steer [true true false]", "steer [true false false]", "claim 3", "spawn 3.0")
		f.says(104, isReady)
		f.expect("SIGTERM 101")
		f.wantLog("msg=reloaded workers=1")
		f.pass(retireGrace)
		f.expect("SIGTERM 103", "SIGTERM 102")
		f.ends(exited(handoff.ExitOK), 101, 102, 103)
		f.expect("recover 0.0", "recover 1.0", "recover 2.0", "sockets 2", "steer [true false]", "sockets 1", "steer [true]")
		f.close()
	})
}

// A reload that comes while one runs takes over what that one has begun.
func TestReloadScalesWhileOneRuns(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.hup()
		f.settings.Workers = 1
		f.signal(unix.SIGHUP)
		f.expect("claim 2", "spawn 2.0", "steer [true false]")
		f.says(103, isReady)
		f.expect("SIGTERM 101", "claim 3", "spawn 3.0") // 103 has the settings of before
		f.settings.Workers = 2
		f.signal(unix.SIGHUP) // 102 is taken back, it was not told to leave yet
		f.expect("steer [true true]")
		f.says(104, isReady)
		f.expect("SIGTERM 103", "claim 4", "spawn 4.0") // and 104, too
		f.says(105, isReady)
		f.expect("SIGTERM 104", "claim 5", "spawn 5.0")
		f.says(106, isReady)
		f.expect("SIGTERM 102")
		f.wantLog("msg=reloaded workers=2")
		f.close()
	})
}

// What TTIN and TTOU have made stays, until the setting itself changes.
func TestReloadKeepsWhatWasScaled(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.startServing()
		f.signal(unix.SIGTTIN)
		f.says(103, isReady)
		f.pass(time.Second)
		f.signal(unix.SIGHUP)
		for range 3 {
			f.says(f.last(), isReady)
		}
		f.wantLog("msg=reloaded workers=3")
		f.settings.Workers = 1
		f.signal(unix.SIGHUP)
		if n := len(f.crew.seats); n != 1 {
			t.Errorf("%d seats, want 1", n)
		}
		f.close()
	})
}

// Seats that there was no slot for are made by a later reload, whose setting is
// the same.
func TestReloadScalesAsFarAsItCan(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.haveSlots(3)
		f.startServing()
		f.pass(time.Second)
		f.settings.Workers = 4
		f.signal(unix.SIGHUP)
		f.wantLog("no slot for another worker")
		if n := len(f.crew.seats); n != 3 {
			t.Errorf("%d seats, want 3", n)
		}
		f.haveSlots(8)
		f.signal(unix.SIGHUP)
		if n := len(f.crew.seats); n != 4 {
			t.Errorf("%d seats, want 4", n)
		}
		f.close()
	})
}

// Where a reload under way waits for a slot, fewer seats are not its end.
func TestReloadScalesDownWhileOneWaits(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.haveSlots(2)
		f.hup()
		f.ends(exited(handoff.ExitOK), 101)
		f.says(103, isReady)
		f.expect("steer [true false]", "SIGTERM 102") // it leaves before its successor comes
		f.settings.Workers = 1
		f.signal(unix.SIGHUP)
		if log := f.logged(); strings.Contains(log, "msg=reloaded") {
			t.Errorf("103 is not replaced yet:\n%s", log)
		}
		f.ends(exited(handoff.ExitOK), 102)
		f.says(104, isReady)
		f.wantLog("msg=reloaded workers=1")
		f.close()
	})
}

// Who stays after a reload that was given up has the new limits, too.
func TestReloadIsGivenUpAfterNewLimits(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		f.startServing()
		f.pass(time.Second)
		f.settings.MaxRequests = 10
		f.signal(unix.SIGHUP)
		f.ends(crashed, 102)
		f.expect("recover 1.0")
		f.answer(0, 13)
		f.pass(recycleRest + watchEvery)
		f.expect("claim 1", "spawn 1.1")
		f.close()
	})
}

func TestReloadChangesLimits(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		f.startServing()
		f.pass(time.Second)
		f.settings.ShutdownTimeout, f.settings.HangTimeout, f.settings.MaxRequests = time.Second, 3*time.Second, 10
		f.signal(unix.SIGHUP)
		f.says(102, isReady)
		f.expect("SIGTERM 101")
		f.pass(time.Second + stopGrace)
		f.expect("SIGKILL 101")
		f.ends(killed, 101)
		f.answer(1, 13) // 10 and up to a quarter more
		f.pass(watchEvery)
		f.expect("claim 0", "spawn 0.1")
		f.says(103, isReady)
		f.ends(exited(handoff.ExitOK), 102)
		f.freeze(0, true)
		f.pass(3*time.Second + 2*watchEvery)
		f.expect("SIGQUIT 103")
		f.close()
	})
}

// file is what Reread finds, given by the test to the master's goroutine.
type file struct {
	mu    sync.Mutex
	now   Settings
	fixed []string
	err   error
}

func (f *file) reread() (Settings, []string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now, f.fixed, f.err
}

func (f *file) change(with func(f *file)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	with(f)
}

// TestReconfigure: what cannot be is refused before anything has changed.
func TestReconfigure(t *testing.T) {
	cfg := testConfig(t)
	dir := filepath.Dir(cfg.Region)
	cfg.Preload = []Preload{{"large", text(`"` + strings.Repeat("x", 2000) + `"`)}}
	settings := &file{now: cfg.Settings}
	cfg.Reread, cfg.Level = settings.reread, new(slog.LevelVar)
	s := launch(t, cfg)
	s.waitLog("msg=ready")
	for reason, spoil := range map[string]func(s *Settings){
		"room for 8, not for 9":            func(s *Settings) { s.Workers = 9 },
		"max-value: ":                      func(s *Settings) { s.MaxValue = 64 << 20 },
		"it is the file of --region":       func(s *Settings) { s.AccessLog = cfg.Region },
		"/none/log: no such file":          func(s *Settings) { s.AccessLog = dir + "/none/log" },
		"is not one of debug, info":        func(s *Settings) { s.LogLevel, s.AccessLog = "loud", dir+"/log" },
		"timeout must not be negative":     func(s *Settings) { s.ShutdownTimeout, s.AccessLog = -1, dir+"/log" },
		"workers must be 1 or more, not 0": func(s *Settings) { s.Workers = 0 },
	} {
		settings.change(func(f *file) {
			f.now = cfg.Settings
			f.now.Workers, f.now.LogLevel, f.fixed = 3, "debug", []string{"region"}
			spoil(&f.now)
		})
		s.master.signals <- unix.SIGHUP
		s.waitLog(reason)
	}
	if log := s.log.String(); strings.Contains(log, "settings have changed") || cfg.Level.Level() != slog.LevelInfo {
		t.Errorf("something has changed:\n%s", log)
	}
	if _, err := os.Stat(dir + "/log"); !os.IsNotExist(err) {
		t.Errorf("the access log of settings that were refused: %v", err)
	}
	settings.change(func(f *file) {
		f.now = cfg.Settings
		f.now.LogLevel, f.now.AccessLog, f.fixed = "debug", dir+"/log", []string{"region", "listen"}
		f.now.MaxValue = 1 << 10 // less than what was set at the start
	})
	s.master.signals <- unix.SIGHUP
	s.waitLog("msg=reloaded")
	s.waitLog(`msg="settings have changed" settings="[max-value access-log log-level]"`)
	s.waitLog(`settings="[region listen]"`)
	if _, err := os.Stat(dir + "/log"); err != nil || cfg.Level.Level() != slog.LevelDebug {
		t.Errorf("level %v, access log: %v", cfg.Level.Level(), err)
	}
	if err := s.end(unix.SIGTERM); err != nil {
		t.Error(err)
	}
}

// TestWriteAccessTo: a log that is replaced is closed, standard output is not.
func TestWriteAccessTo(t *testing.T) {
	m := &Master{accessLog: unix.Stdout}
	paths := map[int]string{}
	open := func() int {
		path := filepath.Join(t.TempDir(), "log")
		fd, err := openAccess(path)
		if err != nil {
			t.Fatal(err)
		}
		paths[fd] = path
		return fd
	}
	isOpen := func(fd int) bool {
		path, err := os.Readlink(fmt.Sprint("/proc/self/fd/", fd))
		return err == nil && path == paths[fd]
	}
	first, second := open(), open()
	m.writeAccessTo(first)
	m.writeAccessTo(first)
	if _, err := unix.FcntlInt(uintptr(unix.Stdout), unix.F_GETFD, 0); err != nil || !isOpen(first) {
		t.Error("closed too much")
	}
	m.writeAccessTo(second)
	if isOpen(first) || !isOpen(second) {
		t.Error("the first file is open still, or the second is not")
	}
	m.writeAccessTo(handoff.None)
	if isOpen(second) {
		t.Error("the second file is open still")
	}
}
