package master

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
)

func TestStart(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.start()
		f.expect("claim 0", "claim 1", "fill", "spawn 0.0", "spawn 1.0")
		f.says(101, handoff.ReadyMessage{Ready: true})
		f.expectNothing()
		f.says(102, handoff.ReadyMessage{Ready: true})
		f.expect("ready")
		f.pass(time.Second)
		f.close()
		if f.sweeps < 9 {
			t.Errorf("%d sweeps in a second", f.sweeps)
		}
	})
}

func TestNoSlot(t *testing.T) {
	perform(t, 3, func(f *theatre) {
		f.slots = 2
		f.start()
		if err := f.over(); !errors.Is(err, shm.ErrNoSlot) || !strings.Contains(err.Error(), "worker 3 of 3") {
			t.Errorf("error: %v", err)
		}
		f.expect("claim 0", "claim 1", "recover 0.0", "recover 1.0")
	})
}

// What cannot be filled is refused before the first worker starts.
func TestFillFails(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.fillFails = shm.ErrFull
		f.start()
		if err := f.over(); !errors.Is(err, shm.ErrFull) {
			t.Errorf("error: %v", err)
		}
		f.expect("claim 0", "claim 1", "fill", "recover 0.0", "recover 1.0")
	})
}

// A death is an end that nobody asked for. A worker that somebody else has sent TERM
// finishes what it has, and is none.
func TestDeathsAreCounted(t *testing.T) {
	perform(t, 3, func(f *theatre) {
		f.startServing()
		f.ends(killed, 101)
		f.ends(exited(handoff.ExitOK), 102)
		if f.deaths != 1 || !strings.Contains(f.logged(), "worker left, and the master did not tell it to") {
			t.Errorf("%d deaths; log:\n%s", f.deaths, f.logged())
		}
		f.says(104, handoff.ReadyMessage{Ready: true})
		f.says(105, handoff.ReadyMessage{Ready: true})
		f.signal(unix.SIGTERM)
		f.ends(killed, 103, 104, 105)
		if f.deaths != 1 {
			t.Errorf("%d deaths after those that were told to leave", f.deaths)
		}
		if err := f.over(); err != nil {
			t.Error(err)
		}
	})
}

// The dead are repaired, all of them, before the first successor is started.
func TestDeathOrder(t *testing.T) {
	perform(t, 3, func(f *theatre) {
		f.startServing()
		f.ends(killed, 103, 101)
		f.expect("recover 2.0", "recover 0.0", "claim 2", "spawn 2.1", "claim 0", "spawn 0.1")
		if !strings.Contains(f.logged(), "end=SIGKILL") {
			t.Errorf("log:\n%s", f.logged())
		}
		f.close()
	})
}

func TestCrashesBackOff(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		f.startServing()
		began := time.Now()
		for range 60 {
			f.ends(crashed, f.last())
			// Asleep, the bubble's clock goes on to the next start.
			for f.empty(0) {
				f.pass(10 * time.Millisecond)
			}
			f.says(f.last(), handoff.ReadyMessage{Ready: true})
		}
		if spent := time.Since(began); spent < time.Minute {
			t.Errorf("60 crashes were answered within %v", spent)
		}
		f.expect("recover 0.59", "steer [false]", "claim 0", "spawn 0.60", "steer [true]")
		f.close()
	})
}

// A seat that waits for its next try has no part in new connections.
func TestBackOffIsAvoided(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.startServing()
		f.ends(crashed, 101)
		f.expect("recover 0.0", "claim 0", "spawn 0.1") // at once: not steered
		for !f.empty(0) {
			f.ends(crashed, f.last())
		}
		f.expect("recover 0.3", "steer [false true]")
		f.pass(faults.ceiling)
		f.says(f.last(), handoff.ReadyMessage{Ready: true})
		f.expect("claim 0", "spawn 0.4", "steer [true true]")
		f.close()
	})
}

func TestKillsDoNotBackOff(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		f.startServing()
		for range 100 {
			time.Sleep(200 * time.Millisecond)
			f.ends(killed, f.last())
			if f.empty(0) {
				t.Fatalf("not restarted at once; log:\n%s", f.logged())
			}
			f.says(f.last(), handoff.ReadyMessage{Ready: true})
		}
		f.close()
	})
}

func TestCannotBoot(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.start()
		f.says(102, handoff.ReadyMessage{Ready: true})
		// The message and the end come at once; the reason must not be lost.
		go handoff.ReadyMessage{Error: "region is damaged"}.WriteTo(f.pipe(101))
		f.mu.Lock()
		f.exits = append(f.exits, exit{101, exited(handoff.ExitCannotBoot)})
		f.mu.Unlock()
		f.children <- unix.SIGCHLD
		synctest.Wait()
		f.expect("recover 0.0", "doors", "SIGTERM 102", "close")
		f.ends(exited(handoff.ExitOK), 102)
		if err := f.over(); err == nil || !strings.Contains(err.Error(), "region is damaged") {
			t.Errorf("error: %v", err)
		}
	})
}

// TestDamagedRegion: whoever waits for a lock that cannot be repaired waits for
// ever, so the server ends, with the reason.
func TestDamagedRegion(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.startServing()
		f.damage(shm.ErrCorrupt)
		f.ends(killed, 101)
		f.expect("recover 0.0", "doors", "SIGTERM 102", "close")
		f.pass(giveUpLimit + stopGrace)
		f.expect("SIGKILL 102")
		f.ends(killed, 102)
		if err := f.over(); !errors.Is(err, shm.ErrCorrupt) {
			t.Errorf("error: %v", err)
		}
	})
}

// TestDamageFoundBySweep: the same, for a process of another master.
func TestDamageFoundBySweep(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		f.startServing()
		f.damage(shm.ErrCorrupt)
		f.pass(sweepEvery)
		f.expect("doors", "SIGTERM 101", "close")
		f.damage(nil)
		f.ends(exited(handoff.ExitOK), 101)
		if err := f.over(); !errors.Is(err, shm.ErrCorrupt) {
			t.Errorf("error: %v", err)
		}
	})
}

func TestCannotBootLater(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.startServing()
		f.ends(killed, 101)
		f.says(103, handoff.ReadyMessage{Error: "no memory"})
		f.ends(exited(handoff.ExitCannotBoot), 103)
		f.expect("recover 0.0", "claim 0", "spawn 0.1", "recover 0.1", "steer [false true]")
		f.pass(faults.ceiling)
		f.expect("claim 0", "spawn 0.2")
		if !strings.Contains(f.logged(), "no memory") {
			t.Errorf("log:\n%s", f.logged())
		}
		f.close()
	})
}

func TestNeverReady(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		f.start()
		for range bootTries {
			f.pass(bootLimit + faults.ceiling)
			f.ends(killed, f.last())
		}
		if err := f.over(); err == nil || !strings.Contains(err.Error(), "not ready within 10s") {
			t.Errorf("error: %v", err)
		}
	})
}

func TestReadyTimeout(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		f.startServing()
		f.ends(killed, 101)
		f.pass(bootLimit)
		f.expect("SIGKILL 102")
		// Too late: it is killed already.
		f.says(102, handoff.ReadyMessage{Ready: true})
		f.ends(killed, 102)
		f.expect("recover 0.1", "claim 0", "spawn 0.2")
		f.close()
	})
}

func TestSpawnFails(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		f.startServing()
		f.failSpawns(errors.New("no more processes"))
		f.ends(killed, 101)
		f.expect("recover 0.0", "claim 0", "recover 0.1", "steer [false]")
		f.failSpawns(nil)
		f.pass(faults.first)
		f.expect("claim 0", "spawn 0.2")
		f.close()
	})
}

func TestGracefulStop(t *testing.T) {
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGINT} {
		perform(t, 2, func(f *theatre) {
			f.startServing()
			f.signal(sig)
			f.expect("doors", "SIGTERM 101", "SIGTERM 102", "close")
			f.signal(unix.SIGTERM) // once more changes nothing
			f.ends(exited(handoff.ExitOK), 102)
			f.ends(exited(handoff.ExitOK), 101)
			f.expect("recover 1.0", "recover 0.0")
			if err := f.over(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A worker that is not ready has no handler for SIGTERM yet: it would end
// without a look at its queue.
func TestStopDuringBoot(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.startServing()
		f.ends(killed, 101)
		f.signal(unix.SIGTERM)
		f.expect("doors", "SIGTERM 102", "close")
		f.says(103, handoff.ReadyMessage{Ready: true})
		f.expect("SIGTERM 103")
		f.ends(exited(handoff.ExitOK), 102, 103)
		if err := f.over(); err != nil {
			t.Error(err)
		}
	})
}

// The queue of a seat that waits for its next try is not left to itself.
func TestStopDuringBackOff(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		f.startServing()
		for !f.empty(0) {
			f.ends(crashed, f.last())
		}
		f.signal(unix.SIGTERM)
		f.expect("doors", "claim 0", "spawn 0.4", "close")
		f.says(f.last(), handoff.ReadyMessage{Ready: true})
		f.expect("SIGTERM 105")
		f.ends(exited(handoff.ExitOK), f.last())
		if err := f.over(); err != nil {
			t.Error(err)
		}
	})
}

func TestStopTakesTooLong(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.startServing()
		f.signal(unix.SIGTERM)
		f.ends(exited(handoff.ExitOK), 101)
		f.pass(f.crew.limit + stopGrace)
		f.expect("SIGKILL 102")
		f.ends(killed, 102)
		f.expect("recover 1.0")
		if err := f.over(); err != nil {
			t.Error(err)
		}
		if !strings.Contains(f.logged(), "did not finish in time") {
			t.Errorf("log:\n%s", f.logged())
		}
	})
}

func TestQuickStop(t *testing.T) {
	for name, signals := range map[string][]unix.Signal{
		"QUIT":            {unix.SIGQUIT},
		"second INT":      {unix.SIGINT, unix.SIGINT},
		"QUIT after TERM": {unix.SIGTERM, unix.SIGQUIT},
	} {
		perform(t, 2, func(f *theatre) {
			f.startServing()
			for _, s := range signals {
				f.signal(s)
			}
			f.expect("SIGKILL 101", "SIGKILL 102")
			f.ends(killed, 101, 102)
			f.expect("recover 0.0", "recover 1.0")
			if err := f.over(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}
