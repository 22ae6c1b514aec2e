package master

import (
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"golang.org/x/sys/unix"
)

// usr2 starts a crew that serves and upgrades it; the heir's pid follows those
// of the workers.
func (f *theatre) usr2() (heir net.Conn) {
	f.t.Helper()
	f.startServing()
	f.pass(time.Second)
	f.signal(unix.SIGUSR2)
	return f.heirs[f.last()]
}

// reports sends the heir's message; what the master answers is awaited.
func (f *theatre) reports(heir net.Conn, m handoff.ReadyMessage) (answer chan handoff.ReadyMessage) {
	f.t.Helper()
	if _, err := m.WriteTo(heir); err != nil {
		f.t.Fatal(err)
	}
	answer = make(chan handoff.ReadyMessage, 1)
	go func() { // ends with the answer, or the end of the channel
		defer close(answer)
		if m, err := handoff.ReadReady(heir); err == nil {
			answer <- m
		}
	}()
	synctest.Wait()
	return answer
}

// The heir is told that it is in charge when it is; the workers finish what they
// have, and no door is closed.
func TestUpgrade(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		heir := f.usr2()
		f.expect("claim 2", "recover 2.0", "heir 103")
		for _, s := range []unix.Signal{unix.SIGHUP, unix.SIGUSR2, unix.SIGTTIN, unix.SIGTTOU} {
			f.signal(s)
		}
		f.expectNothing()
		f.wantLog("an upgrade is under way")
		f.ends(killed, 101) // as at any other time
		f.says(104, isReady)
		f.expect("recover 0.0", "claim 0", "spawn 0.1")
		if m, ok := <-f.reports(heir, handoff.ReadyMessage{Ready: true, Dropped: []int{1}}); !ok || !m.Ready {
			t.Fatalf("the heir was told %+v, %v", m, ok)
		}
		f.expect("hand over, dropped [1]", "SIGTERM 102", "SIGTERM 104", "close")
		f.ends(exited(handoff.ExitOK), 102)
		f.signal(unix.SIGTERM) // it leaves already
		f.expect("recover 1.0")
		f.ends(exited(handoff.ExitOK), 104)
		if err := f.over(); err != nil {
			t.Error(err)
		}
		f.wantLog("upgraded: another master serves")
		if want := []string{"MAINPID=103\nREADY=1"}; !slices.Equal(f.service[len(f.service)-1:], want) {
			t.Errorf("the service manager was told %q, want %q at the end", f.service, want)
		}
	})
}

// Whatever becomes of an heir that has not taken over, all is as it was.
func TestUpgradeFails(t *testing.T) {
	for name, c := range map[string]struct {
		fail func(f *theatre, heir net.Conn)
		log  string
	}{
		"cannot start": {func(f *theatre, heir net.Conn) {
			f.reports(heir, handoff.ReadyMessage{Error: "no such thing"})
			f.ends(exited(1), 103)
		}, `end="exit code 1" reason="no such thing"`},
		"knows nothing of upgrades": {func(f *theatre, heir net.Conn) {
			heir.Close()
			f.ends(exited(0), 103)
		}, `reason="it ended before it was ready"`},
		"killed": {func(f *theatre, heir net.Conn) { f.ends(killed, 103) }, "end=SIGKILL"},
		"talks nonsense": {func(f *theatre, heir net.Conn) {
			go heir.Write([]byte("HTTP/1.1 200 OK\n"))
			synctest.Wait()
			f.pass(f.crew.limit + stopGrace)
			f.expect("SIGKILL 103")
			f.ends(killed, 103)
		}, "ready message cannot be read"},
		"never ready": {func(f *theatre, heir net.Conn) {
			f.pass(upgradeLimit)
			f.expect("SIGKILL 103")
			f.ends(killed, 103)
		}, `reason="it was not ready within 1m0s"`},
		"ready too late": {func(f *theatre, heir net.Conn) {
			f.pass(upgradeLimit)
			f.expect("SIGKILL 103")
			if m, ok := <-f.reports(heir, isReady); ok {
				f.t.Errorf("it was told %+v", m)
			}
			f.ends(killed, 103)
		}, `reason="it was not ready within 1m0s"`},
	} {
		t.Run(name, func(t *testing.T) {
			perform(t, 2, func(f *theatre) {
				heir := f.usr2()
				f.expect("claim 2", "recover 2.0", "heir 103")
				c.fail(f, heir)
				f.expect("no draft")
				f.wantLog("upgrade failed, this server goes on")
				f.wantLog(c.log)
				if last := f.service[len(f.service)-1]; last != "READY=1\nSTATUS=serving with 2 workers" {
					t.Errorf("the service manager was told %q at last", last)
				}
				f.signal(unix.SIGHUP)
				f.expect("claim 2", "spawn 2.1")
				f.says(104, isReady)
				f.says(105, isReady)
				f.signal(unix.SIGUSR2)
				f.expect("heir 106")
				f.close()
			})
		})
	}
}

// The end of an heir may be noticed before what it wrote was read: the reason is in
// the log all the same.
func TestUpgradeHearsLastWords(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		f.lateness = time.Minute / 2
		heir := f.usr2()
		f.reports(heir, handoff.ReadyMessage{Error: "no such thing"})
		f.ends(exited(2), 102)
		f.pass(f.lateness)
		f.expect("no draft")
		f.wantLog(`end="exit code 2" reason="no such thing"`)
		f.close()
	})
}

func TestUpgradeIsRefused(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.start()
		f.signal(unix.SIGUSR2)
		f.wantLog("still starting")
		f.says(101, isReady)
		f.says(102, isReady)
		f.expect("spawn 1.0", "ready")
		f.haveSlots(2)
		f.signal(unix.SIGUSR2)
		f.expectNothing()
		f.wantLog("make one free with TTOU first")
		f.haveSlots(8)
		f.failSpawns(unix.ENOEXEC)
		f.signal(unix.SIGUSR2)
		f.expect("claim 2", "recover 2.0")
		f.wantLog(`msg="upgrade is refused, this server goes on" reason="exec format error"`)
		f.failSpawns(nil)
		f.close()
	})
}

// The workers that a reload has not replaced yet will be by the upgrade.
func TestUpgradeDuringReload(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.hup()
		f.expect("claim 2", "spawn 2.0")
		f.signal(unix.SIGUSR2)
		f.expect("claim 3", "recover 3.0", "heir 104")
		f.wantLog("the rest of the reload is left to the upgrade")
		f.says(103, isReady)
		f.expect("SIGTERM 101")
		<-f.reports(f.heirs[104], isReady)
		f.expect("hand over, dropped []", "SIGTERM 102", "SIGTERM 103", "close")
		f.close()
	})
}

// The sockets of a seat that is being retired are an heir's, too: they stay until it
// has come to its end.
func TestUpgradeWhileOneRetires(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.startServing()
		f.signal(unix.SIGTTOU)
		f.signal(unix.SIGUSR2)
		f.pass(retireGrace)
		f.expect("steer [true false]", "claim 2", "recover 2.0", "heir 103", "SIGTERM 102")
		f.ends(exited(handoff.ExitOK), 102)
		f.expect("recover 1.0")
		f.ends(killed, 103)
		f.expect("sockets 1", "steer [true]")
		f.close()
	})
}

// Logs that are moved while an heir starts are opened anew by it, too, when it can
// hear it.
func TestReopenDuringUpgrade(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		heir := f.usr2()
		f.pass(time.Millisecond)
		f.signal(unix.SIGUSR1)
		f.expect("heir 102", "reopen", "SIGUSR1 101")
		<-f.reports(heir, isReady)
		f.expect("hand over, dropped []", "SIGUSR1 102", "SIGTERM 101", "close")
		f.close()
	})
}

// What an heir said before it ended hands nothing over to it.
func TestUpgradeToADeadHeir(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		heir := f.usr2()
		f.mu.Lock()
		f.exits = append(f.exits, exit{102, killed}) // and the signal of it is on its way
		f.mu.Unlock()
		f.expect("heir 102")
		f.reports(heir, isReady)
		f.expect("no draft")
		f.wantLog("upgrade failed, this server goes on")
		delete(f.heirs, 102)
		f.close()
	})
}

// A worker that is booting at the hand-over is told to leave when it can hear it.
func TestUpgradeWhileAWorkerBoots(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		heir := f.usr2()
		f.ends(killed, 101)
		f.expect("recover 0.0", "claim 0", "spawn 0.1")
		<-f.reports(heir, isReady)
		f.expect("hand over, dropped []", "close")
		f.says(103, isReady)
		f.expect("SIGTERM 103")
		f.ends(exited(handoff.ExitOK), 103)
		if err := f.over(); err != nil {
			t.Error(err)
		}
	})
}

// Workers that do not finish are killed, and those that die are not followed.
func TestUpgradedWorkersLinger(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		heir := f.usr2()
		<-f.reports(heir, isReady)
		f.expect("SIGTERM 101", "SIGTERM 102", "close")
		f.ends(crashed, 101)
		f.expect("recover 0.0")
		f.pass(f.crew.limit + stopGrace)
		f.expect("SIGKILL 102")
		f.ends(killed, 102)
		if err := f.over(); err != nil {
			t.Error(err)
		}
	})
}

// A server that stops is not followed by anybody.
func TestNoUpgradeDuringStop(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		f.startServing()
		f.signal(unix.SIGTERM)
		f.expect("doors", "SIGTERM 101", "close")
		f.signal(unix.SIGUSR2)
		f.expectNothing()
		f.ends(exited(handoff.ExitOK), 101)
		if err := f.over(); err != nil {
			t.Error(err)
		}
	})
}

// Who stops the server stops the upgrade, too, and is not followed by an heir
// that is ready a moment later.
func TestStopDuringUpgrade(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		heir := f.usr2()
		f.signal(unix.SIGTERM)
		f.expect("SIGTERM 102", "doors", "SIGTERM 101", "close")
		if m, ok := <-f.reports(heir, isReady); ok {
			t.Errorf("the heir was told %+v", m)
		}
		f.ends(exited(handoff.ExitOK), 101)
		f.expect("recover 0.0")
		f.ends(exited(0), 102)
		if err := f.over(); err != nil {
			t.Error(err)
		}
	})
	perform(t, 1, func(f *theatre) {
		f.usr2()
		f.signal(unix.SIGQUIT)
		f.expect("doors", "close", "SIGKILL 101", "SIGKILL 102")
		f.ends(killed, 101, 102)
		if err := f.over(); err != nil {
			t.Error(err)
		}
	})
}
