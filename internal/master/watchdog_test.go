package master

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestHangingWorker(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.startServing()
		f.pass(time.Second)
		f.freeze(0, true)
		f.pass(suspectAfter + 2*watchEvery)
		f.expect("steer [false true]")
		f.pass(f.crew.hangLimit - suspectAfter - 3*watchEvery)
		f.expectNothing()
		f.pass(3 * watchEvery)
		f.expect("SIGQUIT 101")
		f.pass(stacksGrace)
		f.expect("SIGKILL 101") // it did not end by itself
		f.freeze(0, false)
		f.ends(killed, 101)
		f.expect("recover 0.0", "claim 0", "spawn 0.1")
		f.says(103, isReady)
		f.expect("steer [true true]")
		f.wantLog(`reason="no heartbeat for 10s"`)
		f.close()
	})
}

func TestSilentForAMoment(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.startServing()
		for range 3 {
			f.freeze(1, true)
			f.pass(5 * time.Second)
			f.expect("steer [true false]")
			f.freeze(1, false)
			f.pass(2 * watchEvery)
			f.expect("steer [true true]")
		}
		f.close()
	})
}

// A worker that hangs while it drains holds nobody up either.
func TestHangsWhileItLeaves(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		f.hup()
		f.says(102, isReady)
		f.expect("SIGTERM 101")
		f.freeze(0, true)
		f.pass(f.crew.hangLimit + 2*watchEvery)
		f.expect("SIGQUIT 101")
		f.ends(exited(2), 101)
		f.expect("recover 0.0") // its seat is another's
		f.close()
	})
}

func TestHangTimeoutIsOff(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		f.crew.hangLimit = 0
		f.startServing()
		f.freeze(0, true)
		f.pass(time.Hour)
		f.expect("steer [false]")
		f.freeze(0, false)
		f.close()
	})
}

// Silence counts while the master looks: a host that was suspended has no
// hanging workers.
func TestMasterWasAsleep(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		w := &worker{seat: f.crew.seats[0], pid: 101, phase: serving}
		f.crew.seats[0].worker, f.crew.workers = w, []*worker{w}
		f.freeze(0, true)
		now := time.Now()
		look := func(after time.Duration) {
			now = now.Add(after)
			f.crew.watch(now)
		}
		look(0)
		look(watchEvery)
		look(time.Hour)
		look(watchEvery)
		f.expectNothing()
		for range f.crew.hangLimit / watchEvery {
			look(watchEvery)
		}
		f.expect("steer [false]", "SIGQUIT 101")
	})
}

func TestHangDuringStop(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		f.startServing()
		f.signal(unix.SIGTERM)
		f.freeze(0, true)
		f.pass(f.crew.hangLimit + 2*watchEvery)
		f.expect("SIGQUIT 101")
		f.pass(stacksGrace)
		f.expect("SIGKILL 101")
		f.ends(killed, 101)
		if err := f.over(); err != nil {
			t.Error(err)
		}
	})
}

// Somebody else tells a worker to leave, and it takes its time.
func TestWorkerLeavesByItself(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.startServing()
		f.mu.Lock()
		f.draining[0] = true
		f.mu.Unlock()
		f.pass(watchEvery)
		f.expect("claim 2", "spawn 2.0")
		f.says(103, isReady)
		f.pass(time.Second)
		f.expectNothing()
		f.ends(exited(0), 101)
		f.expect("recover 0.0") // its seat is another's
		f.close()
	})
}
