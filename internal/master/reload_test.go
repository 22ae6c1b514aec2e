package master

import (
	"strings"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"golang.org/x/sys/unix"
)

var isReady = handoff.ReadyMessage{Ready: true}

// hup starts a crew that serves, lets some time pass, and reloads it.
func (f *theatre) hup() {
	f.t.Helper()
	f.startServing()
	f.pass(time.Second)
	f.signal(unix.SIGHUP)
}

func (f *theatre) wantLog(text string) {
	f.t.Helper()
	if !strings.Contains(f.logged(), text) {
		f.t.Errorf("%q is not in the log:\n%s", text, f.logged())
	}
}

// One after the other, and each successor serves before who it follows leaves.
func TestReload(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.hup()
		f.expect("claim 2", "spawn 2.0")
		f.says(103, isReady)
		f.expect("SIGTERM 101", "claim 3", "spawn 3.0")
		f.ends(exited(handoff.ExitOK), 101)
		f.expect("recover 0.0")
		f.says(104, isReady)
		f.expect("SIGTERM 102")
		f.wantLog("msg=reloaded workers=2")
		f.ends(exited(handoff.ExitOK), 102)
		f.expect("recover 1.0")
		f.ends(killed, 103) // as any other worker
		f.expect("recover 2.0", "claim 2", "spawn 2.1")
		f.close()
	})
}

func TestReloadIsGivenUp(t *testing.T) {
	for name, fail := range map[string]func(f *theatre){
		"cannot boot": func(f *theatre) {
			go handoff.ReadyMessage{Error: "no such thing"}.WriteTo(f.pipe(103))
			f.ends(exited(handoff.ExitCannotBoot), 103)
		},
		"crashes": func(f *theatre) { f.ends(crashed, 103) },
		"never ready": func(f *theatre) {
			f.pass(bootLimit)
			f.ends(killed, 103)
		},
	} {
		t.Run(name, func(t *testing.T) {
			perform(t, 2, func(f *theatre) {
				f.hup()
				fail(f)
				f.expect("recover 2.0")
				f.wantLog("reload is given up")
				f.pass(time.Hour)
				f.expectNothing() // the old ones serve
				f.signal(unix.SIGHUP)
				f.expect("claim 2", "spawn 2.1")
				f.close()
			})
		})
	}
}

func TestReloadWithoutSpawn(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		f.startServing()
		f.pass(time.Second)
		f.failSpawns(unix.EAGAIN)
		f.signal(unix.SIGHUP)
		f.expect("claim 1", "recover 1.0")
		f.wantLog("reload is given up")
		f.failSpawns(nil)
		f.close()
	})
}

// Whoever kills a successor says nothing about the next one.
func TestReloadGoesOnAfterAKill(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		f.hup()
		f.ends(killed, 102)
		f.expect("recover 1.0", "claim 1", "spawn 1.1")
		f.says(103, isReady)
		f.expect("SIGTERM 101")
		f.close()
	})
}

// The successor of a worker that dies meanwhile takes the seat as it is.
func TestReloadOfADyingWorker(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.hup()
		f.ends(crashed, 101)
		f.expect("recover 0.0")
		f.says(103, isReady)
		f.expect("claim 0", "spawn 0.1") // the next seat's
		f.says(104, isReady)
		f.expect("SIGTERM 102")
		f.wantLog("msg=reloaded")
		f.close()
	})
}

// A second signal is about what changed since the first.
func TestReloadTwice(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.hup()
		f.says(103, isReady)
		f.expect("SIGTERM 101", "claim 3", "spawn 3.0")
		f.pass(time.Second)
		f.signal(unix.SIGHUP)
		f.expectNothing() // 104 is booting
		f.says(104, isReady)
		f.expect("SIGTERM 102", "claim 4", "spawn 4.0")
		f.says(105, isReady)
		f.expect("SIGTERM 103", "claim 5", "spawn 5.0")
		f.says(106, isReady)
		f.expect("SIGTERM 104")
		f.wantLog("msg=reloaded")
		f.close()
	})
}

// With no slot to spare, a successor waits for one that leaves; and where none
// does, the seat is empty for a moment, and avoided.
func TestReloadWithoutSlots(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.haveSlots(3)
		f.hup()
		f.says(103, isReady)
		f.expect("claim 2", "spawn 2.0", "SIGTERM 101")
		f.ends(exited(handoff.ExitOK), 101)
		f.expect("recover 0.0", "claim 0", "spawn 0.1")
		f.close()
	})
	perform(t, 2, func(f *theatre) {
		f.haveSlots(2)
		f.hup()
		f.expect("steer [false true]", "SIGTERM 101")
		f.ends(exited(handoff.ExitOK), 101)
		f.expect("recover 0.0", "claim 0", "spawn 0.1")
		f.says(103, isReady)
		f.expect("steer [true true]", "steer [true false]", "SIGTERM 102")
		f.ends(exited(handoff.ExitOK), 102)
		f.says(104, isReady)
		f.expect("recover 1.0", "claim 1", "spawn 1.1", "steer [true true]")
		f.wantLog("msg=reloaded")
		f.close()
	})
}

func TestStopDuringReload(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.hup()
		f.signal(unix.SIGTERM)
		f.expect("doors", "SIGTERM 101", "SIGKILL 103", "SIGTERM 102", "close")
		f.ends(killed, 103)
		f.ends(exited(handoff.ExitOK), 101, 102)
		if err := f.over(); err != nil {
			t.Error(err)
		}
	})
}

func TestReloadDuringStart(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.start()
		f.says(101, isReady)
		f.signal(unix.SIGHUP)
		f.wantLog("still starting")
		f.says(102, isReady)
		f.expect("spawn 1.0", "ready")
		f.close()
	})
}

// A worker that does not finish is killed, and its successor serves all along.
func TestReloadedWorkerLingers(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		f.hup()
		f.says(102, isReady)
		f.expect("SIGTERM 101")
		f.pass(f.crew.limit + stopGrace)
		f.expect("SIGKILL 101")
		f.ends(killed, 101)
		f.expect("recover 0.0")
		f.close()
	})
}

// Who is booting has no handler for the signal yet, and is told later.
func TestReopenLogs(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.startServing()
		f.ends(killed, 102)
		f.pass(time.Second)
		f.signal(unix.SIGUSR1)
		f.expect("recover 1.0", "claim 1", "spawn 1.1", "reopen", "SIGUSR1 101")
		f.says(103, isReady)
		f.expect("SIGUSR1 103")
		f.ends(killed, 101)
		f.says(104, isReady)
		f.expect("recover 0.0", "claim 0", "spawn 0.1") // it was started since
		f.reopenFails = unix.EACCES
		f.signal(unix.SIGUSR1)
		f.expect("reopen")
		f.wantLog("logs stay as they are")
		f.close()
	})
}

// With no slot to spare, a worker that hangs instead of leaving is ended.
func TestReloadOfAHangingWorker(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.haveSlots(2)
		f.settings.MaxRequests = 1 << 40
		f.startServing()
		f.pass(time.Second)
		f.freeze(0, true)
		f.signal(unix.SIGHUP)
		f.pass(f.crew.hangLimit + stacksGrace + 2*watchEvery)
		f.expect("steer [false true]", "SIGTERM 101", "SIGQUIT 101", "SIGKILL 101")
		f.freeze(0, false)
		f.ends(killed, 101)
		f.expect("recover 0.0", "claim 0", "spawn 0.1")
		f.close()
	})
}

// Whoever kills every successor is not fed for ever.
func TestReloadUnderAKiller(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		f.hup()
		for range killsEnough + 1 {
			f.ends(killed, f.last())
		}
		f.wantLog("reload is given up")
		f.expect("recover 1.5")
		f.pass(time.Hour)
		f.expectNothing()
		f.close()
	})
}
