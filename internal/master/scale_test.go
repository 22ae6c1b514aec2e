package master

import (
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"golang.org/x/sys/unix"
)

func TestMore(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.startServing()
		f.signal(unix.SIGTTIN)
		f.expect("claim 2", "sockets 3", "steer [true true false]", "spawn 2.0")
		f.says(103, isReady)
		f.expect("steer [true true true]")
		f.ends(killed, 103)
		f.expect("recover 2.0", "claim 2", "spawn 2.1")
		f.close()
	})
}

func TestMostWorkers(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.crew.most = 2
		f.startServing()
		f.signal(unix.SIGTTIN)
		f.expectNothing()
		f.wantLog("no more workers are possible")
		f.close()
	})
}

// The last seat gets no new connections, then its worker leaves, then its
// sockets are closed.
func TestLess(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.startServing()
		f.signal(unix.SIGTTOU)
		f.expect("steer [true false]")
		f.pass(retireGrace - time.Millisecond)
		f.expectNothing()
		f.pass(time.Millisecond)
		f.expect("SIGTERM 102")
		f.ends(exited(handoff.ExitOK), 102)
		f.expect("recover 1.0", "sockets 1", "steer [true]")
		f.signal(unix.SIGTTOU)
		f.expectNothing()
		f.wantLog("the last worker stays")
		f.close()
	})
}

// What waits in the queue of one that is killed on the way out is not dropped.
func TestRetiredWorkerDies(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.startServing()
		f.signal(unix.SIGTTOU)
		f.ends(crashed, 102)
		f.expect("recover 1.0", "claim 1", "spawn 1.1") // a last one, for its queue
		f.pass(retireGrace)
		f.says(103, isReady)
		f.expect("SIGTERM 103")
		f.ends(exited(handoff.ExitOK), 103)
		f.expect("recover 1.1", "sockets 1", "steer [true]")
		f.pass(time.Hour)
		f.expectNothing()
		f.close()
	})
}

// A connection that came too late for the last worker is served by another one
// before the sockets are closed.
func TestRetiredQueueIsAdopted(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.startServing()
		f.signal(unix.SIGTTOU)
		f.pass(retireGrace)
		f.expect("steer [true false]", "SIGTERM 102")
		f.enqueue(1, 1)
		f.ends(exited(handoff.ExitOK), 102)
		f.expect("recover 1.0")
		f.pass(watchEvery)
		f.expect("hand [1001] to 101", "sockets 1", "steer [true]")
		f.close()
	})
}

func TestLessAndMoreAgain(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.startServing()
		f.signal(unix.SIGTTOU)
		f.expect("steer [true false]")
		f.signal(unix.SIGTTIN) // in time
		f.expect("steer [true true]")
		f.pass(time.Hour)
		f.expectNothing()

		f.signal(unix.SIGTTOU)
		f.pass(retireGrace)
		f.expect("steer [true false]", "SIGTERM 102")
		f.signal(unix.SIGTTIN) // too late: it leaves, and another takes the seat
		f.expect("claim 2", "sockets 2", "steer [true false]", "spawn 2.0")
		f.ends(exited(handoff.ExitOK), 102)
		f.expect("recover 1.0")
		f.says(103, isReady)
		f.expect("steer [true true]")
		f.close()
	})
}

// Retired out of order, sockets are closed from the last one on.
func TestSeveralLess(t *testing.T) {
	perform(t, 3, func(f *theatre) {
		f.startServing()
		f.signal(unix.SIGTTOU)
		f.signal(unix.SIGTTOU)
		f.expect("steer [true true false]", "steer [true false false]")
		f.pass(retireGrace)
		f.expect("SIGTERM 103", "SIGTERM 102")
		f.ends(exited(handoff.ExitOK), 102)
		f.expect("recover 1.0")
		f.ends(exited(handoff.ExitOK), 103)
		f.expect("recover 2.0", "sockets 2", "steer [true false]", "sockets 1", "steer [true]")
		f.close()
	})
}

func TestLessDuringBootAndReload(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.startServing()
		f.signal(unix.SIGTTIN)
		f.signal(unix.SIGTTOU) // 103 boots
		f.pass(retireGrace)
		f.expect("claim 2", "sockets 3", "steer [true true false]", "spawn 2.0", "steer [true true false]")
		f.says(103, isReady)
		f.expect("SIGTERM 103")
		f.ends(exited(handoff.ExitOK), 103)
		f.expect("recover 2.0", "sockets 2", "steer [true true]")

		f.signal(unix.SIGHUP)
		f.says(104, isReady)
		f.expect("claim 2", "spawn 2.1", "SIGTERM 101", "claim 3", "spawn 3.0")
		f.signal(unix.SIGTTOU) // while the second is being replaced
		f.expect("steer [true false]", "SIGKILL 105")
		f.ends(killed, 105)
		f.wantLog("msg=reloaded workers=1")
		f.pass(retireGrace)
		f.expect("recover 3.0", "SIGTERM 102")
		f.close()
	})
}

func TestStopWhileOneRetires(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.startServing()
		f.signal(unix.SIGTTOU)
		f.signal(unix.SIGTERM)
		f.expect("steer [true false]", "doors", "SIGTERM 101", "SIGTERM 102", "close")
		f.ends(exited(handoff.ExitOK), 101, 102)
		if err := f.over(); err != nil {
			t.Error(err)
		}
	})
}

// A worker that boots when its seat is retired and taken back keeps it.
func TestMoreLessMoreDuringBoot(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.startServing()
		f.signal(unix.SIGTTIN)
		f.signal(unix.SIGTTOU)
		f.signal(unix.SIGTTIN)
		f.says(103, isReady)
		f.expect("claim 2", "sockets 3", "steer [true true false]", "spawn 2.0", "steer [true true false]",
			"steer [true true false]", "steer [true true true]")
		f.signal(unix.SIGTERM)
		f.expect("doors", "SIGTERM 101", "SIGTERM 102", "SIGTERM 103", "close")
		f.ends(exited(handoff.ExitOK), 101, 102, 103)
		if err := f.over(); err != nil {
			t.Error(err)
		}
	})
}

// No connection is sent to a seat that is retired, also while the others are
// avoided.
func TestRetiredIsNobodysRefuge(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.startServing()
		f.signal(unix.SIGTTOU)
		f.pass(retireGrace)
		f.freeze(0, true)
		f.pass(suspectAfter + 2*watchEvery)
		f.expect("steer [true false]", "SIGTERM 102", "steer [true false]")
		f.close()
	})
}

func TestMoreWithoutSocketsOrSlots(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		sockets := 2
		f.crew.resize = func(n int) error {
			if sockets = n; n > 2 {
				return unix.EMFILE
			}
			return nil
		}
		f.startServing()
		f.signal(unix.SIGTTIN)
		if sockets != 2 || len(f.crew.seats) != 2 {
			t.Errorf("%d sockets, %d seats", sockets, len(f.crew.seats))
		}
		f.expect("claim 2", "recover 2.0", "steer [true true]")
		f.slots = 2
		f.signal(unix.SIGTTIN)
		f.expectNothing()
		f.wantLog("no slot for another worker")
		f.close()
	})
}

func TestScalingDuringStart(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.start()
		f.says(101, isReady)
		f.signal(unix.SIGTTIN)
		f.signal(unix.SIGTTOU)
		f.wantLog("still starting")
		f.says(102, isReady)
		f.expect("spawn 1.0", "ready")
		f.close()
	})
}

// A seat that is taken back after a reload has its worker replaced, too.
func TestReloadBetweenLessAndMore(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.startServing()
		f.pass(time.Millisecond)
		f.signal(unix.SIGTTOU)
		f.signal(unix.SIGHUP)
		f.signal(unix.SIGTTIN)
		f.says(103, isReady)
		f.expect("steer [true false]", "claim 2", "spawn 2.0", "steer [true true]", "SIGTERM 101", "claim 3", "spawn 3.0")
		f.says(104, isReady)
		f.expect("SIGTERM 102")
		f.close()
	})
}
