package master

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"golang.org/x/sys/unix"
)

// heard is what the service manager was told since it was called before, without
// the words for people.
func (f *theatre) heard() (states []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.service {
		state, _, _ := strings.Cut(s, "\n")
		states = append(states, state)
	}
	f.service = nil
	return states
}

func (f *theatre) wantHeard(want ...string) {
	f.t.Helper()
	if got := f.heard(); !slices.Equal(got, want) {
		f.t.Errorf("the service manager was told %q, want %q", got, want)
	}
}

func TestServiceManagerIsTold(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.start()
		f.says(101, isReady)
		f.wantHeard()
		f.says(102, isReady)
		f.wantHeard("READY=1")
		f.pass(time.Minute)
		f.wantHeard() // it has no watchdog

		f.signal(unix.SIGHUP)
		f.wantHeard("RELOADING=1")
		f.says(103, isReady)
		f.says(104, isReady)
		f.wantHeard("READY=1")
		f.pass(time.Second)
		f.signal(unix.SIGHUP)
		f.ends(crashed, 105)
		f.wantHeard("RELOADING=1", "READY=1") // given up

		f.signal(unix.SIGTERM)
		f.wantHeard("STOPPING=1")
		f.ends(exited(handoff.ExitOK), 101, 102, 103, 104)
		if err := f.over(); err != nil {
			t.Error(err)
		}
	})
}

func TestServiceManagersWatchdog(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		f.crew.service.pulse = 5 * time.Second
		f.startServing()
		f.heard()
		f.pass(time.Minute)
		if n := len(f.heard()); n < 11 || n > 12 {
			t.Errorf("%d signs of life in a minute, one each 5 s", n)
		}
		f.close()
	})
}
