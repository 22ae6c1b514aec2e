package master

import (
	"testing"

	"github.com/fondue-server/fondue/internal/handoff"
	"golang.org/x/sys/unix"
)

// quieted is a crew of two whose heir has asked it to make way.
func (f *theatre) quieted() (answer chan handoff.ReadyMessage) {
	f.t.Helper()
	heir := f.usr2()
	answer = f.reports(heir, handoff.ReadyMessage{Quiesce: true})
	f.expect("tell 101 q", "SIGTERM 101", "tell 102 q", "SIGTERM 102")
	return answer
}

// The heir is told when the last worker is gone, and nobody follows one.
func TestQuiesce(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		answer := f.quieted()
		heir := f.heirs[103]
		f.ends(killed, 101)
		f.expect("recover 0.0")
		select {
		case m := <-answer:
			t.Fatalf("the heir was told %+v while a worker lives", m)
		default:
		}
		f.ends(exited(handoff.ExitOK), 102)
		f.expect("recover 1.0")
		if m, ok := <-answer; !ok || !m.Ready {
			t.Fatalf("the heir was told %+v, %v", m, ok)
		}
		f.pass(copyLimit / 2) // it copies
		f.expectNothing()
		if m, ok := <-f.reports(heir, isReady); !ok || !m.Ready {
			t.Fatalf("the heir was told %+v, %v", m, ok)
		}
		f.expect("hand over, dropped []", "close")
		if err := f.over(); err != nil {
			t.Error(err)
		}
	})
}

// An heir that fails then is followed by workers of this server, at once.
func TestQuiesceInVain(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		answer := f.quieted()
		f.ends(exited(handoff.ExitOK), 101, 102)
		<-answer
		f.expect("recover 0.0", "recover 1.0")
		f.ends(exited(1), 103)
		f.expect("claim 0", "spawn 0.1", "claim 1", "spawn 1.1", "no draft")
		f.wantLog("upgrade failed, this server goes on")
		f.says(104, isReady)
		f.says(105, isReady)
		f.close()
	})
	perform(t, 2, func(f *theatre) { // at one moment with the last worker: no seat gets two
		f.quieted()
		f.ends(exited(handoff.ExitOK), 101)
		f.ends(killed, 102, 103)
		f.expect("recover 0.0", "recover 1.0", "claim 0", "spawn 0.1", "claim 1", "spawn 1.1", "no draft")
		f.says(104, isReady)
		f.says(105, isReady)
		f.signal(unix.SIGTERM)
		f.expect("doors", "SIGTERM 104", "SIGTERM 105", "close")
		f.ends(exited(handoff.ExitOK), 104, 105)
		if err := f.over(); err != nil {
			t.Error(err)
		}
	})
	perform(t, 2, func(f *theatre) { // while one leaves, which may take long
		f.quieted()
		f.ends(exited(handoff.ExitOK), 101)
		f.ends(killed, 103)
		f.expect("recover 0.0", "claim 0", "spawn 0.1", "claim 2", "spawn 2.1", "no draft")
		f.ends(exited(handoff.ExitOK), 102)
		f.expect("recover 1.0")
		f.close()
	})
}

func TestStopWhileQuiet(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		answer := f.quieted()
		f.ends(exited(handoff.ExitOK), 101, 102)
		<-answer
		f.expect("recover 0.0", "recover 1.0")
		f.signal(unix.SIGTERM) // connections wait, and the heir is not to serve them
		f.expect("SIGTERM 103", "doors", "claim 0", "spawn 0.1", "claim 1", "spawn 1.1", "close")
		f.ends(exited(0), 103)
		f.says(104, isReady)
		f.says(105, isReady)
		f.expect("SIGTERM 104", "SIGTERM 105")
		f.ends(exited(handoff.ExitOK), 104, 105)
		if err := f.over(); err != nil {
			t.Error(err)
		}
	})
}

// A worker that boots leaves its queue as the others do, once it can hear it.
func TestQuiesceWhileAWorkerBoots(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		heir := f.usr2()
		f.ends(killed, 101)
		f.expect("recover 0.0", "claim 0", "spawn 0.1")
		f.reports(heir, handoff.ReadyMessage{Quiesce: true})
		f.expect("tell 102 q", "SIGTERM 102")
		f.says(104, isReady)
		f.expect("tell 104 q", "SIGTERM 104")
		f.close()
	})
}

// Nobody serves what waits for one that does not come up, while the others are not
// to serve either.
func TestWithheldWorkersAdoptNothing(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.crew.inherits, f.crew.asked, f.crew.withheld = true, 2, true
		f.start()
		f.says(101, isReady)
		f.enqueue(1, 3)
		f.expect("spawn 1.0")
		f.pass(suspectAfter + 2*watchEvery)
		f.expectNothing()
		f.says(102, isReady)
		f.expect("ready", "tell 101 s", "tell 102 s", "steer [true true]")
		f.close()
	})
}

// Workers that were started to wait may serve when the listeners are this
// server's, and not before.
func TestWithheldWorkers(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.crew.withheld = true
		f.start()
		f.says(101, isReady)
		f.ends(killed, 101)
		f.expect("spawn 1.0", "recover 0.0", "claim 0", "spawn 0.1")
		f.says(102, isReady)
		f.expect("ready", "tell 102 s", "tell 103 s") // 103 boots, and reads it then
		f.says(103, isReady)
		f.ends(killed, 102)
		f.says(104, isReady) // as any other
		f.expect("recover 1.0", "claim 1", "spawn 1.1")
		f.close()
	})
}
