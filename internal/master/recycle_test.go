package master

import (
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"golang.org/x/sys/unix"
)

func TestRecycledByRequests(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.settings.MaxRequests = 100
		f.startServing()
		f.answer(0, 99)
		f.pass(time.Second)
		f.expectNothing()
		f.answer(0, 26) // beyond any jitter
		f.pass(watchEvery)
		f.expect("claim 2", "spawn 2.0")
		f.pass(time.Second)
		f.says(103, isReady)
		f.expect("SIGTERM 101")
		f.ends(exited(handoff.ExitOK), 101)
		f.pass(time.Hour)
		f.expect("recover 0.0")
		f.answer(2, 99)
		f.pass(time.Second)
		f.expectNothing()
		f.answer(2, 26)
		f.pass(watchEvery)
		f.expect("claim 0", "spawn 0.1")
		f.close()
	})
}

// A slot's count goes on over its workers; each begins at its own 0.
func TestRecycledCountsItsOwn(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		f.settings.MaxRequests = 100
		f.startServing()
		f.answer(0, 90)
		f.ends(killed, 101)
		f.says(102, isReady)
		f.answer(0, 90)
		f.pass(time.Minute)
		f.expect("recover 0.0", "claim 0", "spawn 0.1")
		f.close()
	})
}

func TestRecycledByMemory(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.settings.MaxWorkerMemory = 1 << 20
		f.startServing()
		f.mu.Lock()
		f.grown = 1<<20 + 1
		f.mu.Unlock()
		f.pass(recycleRest - time.Second)
		f.expectNothing() // it has only begun
		f.pass(2 * time.Second)
		f.expect("claim 2", "spawn 2.0") // one at a time
		f.pass(time.Second)
		f.expectNothing()
		f.mu.Lock()
		f.grown = 1 << 20
		f.mu.Unlock()
		f.says(103, isReady)
		f.expect("SIGTERM 101", "claim 3", "spawn 3.0") // it was over, too
		f.close()
	})
}

func TestRecyclingRests(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		f.settings.MaxRequests = 1
		f.startServing()
		f.answer(0, 2)
		f.pass(watchEvery)
		f.expect("claim 1", "spawn 1.0")
		f.ends(crashed, 102)
		f.expect("recover 1.0")
		f.wantLog("stays for now")
		f.pass(recycleRest - time.Second)
		f.expectNothing()
		f.pass(2 * time.Second)
		f.expect("claim 1", "spawn 1.1")
		f.close()
	})
}

// A reload in the middle of it replaces everybody.
func TestReloadDuringRecycling(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.settings.MaxRequests = 1
		f.startServing()
		f.pass(time.Second)
		f.answer(0, 2)
		f.pass(watchEvery)
		f.expect("claim 2", "spawn 2.0")
		f.pass(time.Second)
		f.signal(unix.SIGHUP)
		f.says(103, isReady)
		f.expect("SIGTERM 101", "claim 3", "spawn 3.0") // 103 is older than the signal
		f.says(104, isReady)
		f.expect("SIGTERM 103", "claim 4", "spawn 4.0")
		f.says(105, isReady)
		f.expect("SIGTERM 102")
		f.wantLog("msg=reloaded workers=2")
		f.close()
	})
}

// One after the other over its limit: each is replaced once.
func TestRecycledOneByOne(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.settings.MaxRequests = 100
		f.startServing()
		f.answer(0, 126)
		f.pass(watchEvery)
		f.answer(1, 126)
		f.pass(watchEvery)
		f.says(103, isReady)
		f.says(104, isReady)
		f.expect("claim 2", "spawn 2.0", "SIGTERM 101", "claim 3", "spawn 3.0", "SIGTERM 102")
		f.pass(time.Minute)
		f.close()
	})
}

// A limit that every worker is over from its start on does not keep a reload
// from its end.
func TestReloadWithATooSmallLimit(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.settings.MaxWorkerMemory = 1 << 20
		f.grown = 2 << 20
		f.hup()
		for pid := 103; pid <= 104; pid++ {
			f.pass(time.Second)
			f.says(pid, isReady)
		}
		f.wantLog("msg=reloaded workers=2")
		if last := f.last(); last != 104 {
			t.Errorf("%d workers were started", last-100)
		}
		f.close()
	})
}
