package master

import (
	"strings"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
)

// The heir's side: seats without a slot wait until the other master's workers
// have left theirs; then the number of seats becomes what is asked for.
func TestHeir(t *testing.T) {
	perform(t, 3, func(f *theatre) {
		f.crew.inherits, f.crew.asked = true, 2
		f.haveSlots(1)
		f.start()
		f.expect("claim 0", "fill", "spawn 0.0")
		f.pass(time.Second)
		f.enqueue(1, 1)
		f.pass(time.Second) // the other master's workers serve it
		f.expectNothing()
		f.says(101, isReady) // enough to be in charge
		f.expect("ready", "steer [true false false]")
		f.pass(watchEvery) // they may be gone, but for a long request
		f.expect("hand [1001] to 101")
		f.pass(slotPatience)
		f.wantLog("a worker waits for a free slot in the region")
		f.haveSlots(8)
		f.pass(slotPause)
		f.expect("claim 1", "spawn 1.0", "claim 2", "spawn 2.0")
		f.says(102, isReady)
		f.expect("steer [true true false]")
		f.says(103, isReady)
		f.expect("steer [true true true]", "steer [true true false]")
		f.pass(retireGrace)
		f.expect("SIGTERM 103")
		f.close()
	})
}

// slotBetween is a scoreboard on which a slot becomes free after the second claim.
type slotBetween struct {
	*theatre
	claims int
}

func (b *slotBetween) Claim(prefer int) (shm.ID, error) {
	if b.claims++; b.claims == 2 {
		return shm.ID{}, shm.ErrNoSlot
	}
	return b.theatre.Claim(prefer)
}

// A slot goes to the seat that it was claimed for, also where one before has none.
func TestHeirGetsASlotBetween(t *testing.T) {
	perform(t, 3, func(f *theatre) {
		f.crew.inherits, f.crew.asked, f.crew.board = true, 3, &slotBetween{theatre: f}
		f.start()
		f.expect("claim 0", "claim 1", "fill", "spawn 0.0", "spawn 1.0")
		f.says(101, isReady)
		f.says(102, isReady)
		f.expect("ready", "steer [true false true]")
		f.pass(slotPause)
		f.expect("claim 2", "spawn 2.0")
		f.says(103, isReady)
		f.expect("steer [true true true]")
		f.close()
	})
}

// An heir that has one itself leaves the number of its seats until that has failed.
func TestUpgradeOfAnHeir(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.crew.inherits, f.crew.asked, f.slots = true, 1, 2
		f.crew.board = &slotBetween{theatre: f}
		f.start()
		f.says(101, isReady)
		f.haveSlots(8)
		f.signal(unix.SIGUSR2)
		f.expect("claim 1", "recover 1.0", "heir 102")
		f.pass(slotPause)
		f.says(103, isReady)
		f.expect("claim 1", "spawn 1.1", "steer [true true]")
		f.ends(killed, 102)
		f.expect("steer [true false]")
		f.close()
	})
}

// A reload of an heir whose seats wait leaves their number until then.
func TestReloadOfAnHeir(t *testing.T) {
	perform(t, 3, func(f *theatre) {
		f.crew.inherits = true
		f.haveSlots(2)
		f.start()
		f.says(101, isReady)
		f.says(102, isReady)
		f.settings.Workers = 1
		f.signal(unix.SIGHUP)
		if n := len(f.crew.seats); n != 3 {
			t.Errorf("%d seats while one waits for its worker, want 3", n)
		}
		f.haveSlots(8)
		f.pass(slotPause)
		f.says(103, isReady)
		if n := len(f.crew.seats); n != 1 {
			t.Errorf("%d seats, want 1", n)
		}
		f.close()
	})
}

func TestHeirIsNotInCharge(t *testing.T) {
	perform(t, 1, func(f *theatre) {
		f.crew.inherits, f.crew.asked = true, 1
		f.readyFails = shm.ErrInUse
		f.start()
		f.says(101, isReady)
		f.expect("ready", "doors", "SIGTERM 101", "close")
		f.ends(exited(handoff.ExitOK), 101)
		if err := f.over(); err != shm.ErrInUse {
			t.Error(err)
		}
	})
}

// Until it is in charge an heir leaves new connections where its lender steers them.
func TestHeirDoesNotSteer(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.crew.inherits, f.crew.asked = true, 2
		f.start()
		f.says(101, isReady)
		f.signal(unix.SIGTTOU)
		for pid := 102; pid < 106; pid++ { // until there is a wait
			f.ends(crashed, pid)
		}
		f.pass(watchEvery)
		f.freeze(0, true)
		f.pass(suspectAfter + 2*watchEvery)
		for _, what := range f.script {
			if strings.HasPrefix(what, "steer") {
				t.Errorf("happened: %s", what)
			}
		}
		f.says(f.last(), isReady)
		f.expect("ready", "steer [false true]")
		f.close()
	})
}
