package master

import (
	"errors"
	"reflect"
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
		f.slots = 3
		f.startServing()
		f.pass(time.Second)
		f.settings.Workers = 4
		f.signal(unix.SIGHUP)
		f.wantLog("no slot for another worker")
		if n := len(f.crew.seats); n != 3 {
			t.Errorf("%d seats, want 3", n)
		}
		f.slots = 8
		f.signal(unix.SIGHUP)
		if n := len(f.crew.seats); n != 4 {
			t.Errorf("%d seats, want 4", n)
		}
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
