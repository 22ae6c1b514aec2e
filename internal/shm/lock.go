package shm

import (
	"sync/atomic"
	"time"
)

// A lock word is 0 while free, else its owner and whether anybody sleeps:
//
//	31..11 generation (low 21 bits) | 10..1 slot+1 | 0 waiters
//
// The owner is in the word so that a dead owner's lock can be told from a
// living one's, by compare-and-swap, with no window in which it is neither.
const (
	waiters = 1

	slotShift = 1
	genShift  = 11

	// looks at the lock before sleeping, with a pause of some 20 ns between two: a
	// change takes a few hundred nanoseconds, to sleep and to be woken ten thousand.
	lockSpins = 64
)

// lockPatience is when a sleeper looks again by itself, so that a lost wake-up
// would cost this and no more. Tests of the wake-ups set it to for ever.
var lockPatience = 100 * time.Millisecond

// lockLook is how often somebody who waits looks whether the holder goes on,
// and lockLooks how many times in a row he does not, until it is given up.
var lockLook = time.Second

const lockLooks = 5

// lockOwner is the identity in a lock word, waiters bit clear.
func lockOwner(id ID) uint32 {
	return id.Generation<<genShift | uint32(id.Slot+1)<<slotShift
}

// slotOf is the owner's slot, -1 where there is none.
func slotOf(held uint32) int { return int(held>>slotShift&(1<<(genShift-slotShift)-1)) - 1 }

// acquire takes the lock for owner, and returns pinned when it has. It gives up
// after limit, and reports how long it slept, 0 when it did not have to.
//
// The word goes 0 -> owner by one compare-and-swap: a death before it leaves
// the lock free, a death after it leaves the owner's name. Whoever has slept
// takes it with the waiters bit set, because others may sleep still.
func acquire(w *atomic.Uint32, owner uint32, limit time.Duration) (waited time.Duration, ok bool) {
	if tryAcquire(w, owner) {
		return 0, true
	}
	began := nanotime()
	for {
		pin()
		if cas32(w, 0, owner|waiters) {
			return time.Duration(nanotime() - began), true
		}
		unpin()
		if waited = time.Duration(nanotime() - began); waited > limit {
			return waited, false
		}
		held := w.Load()
		if held == 0 {
			continue
		}
		if held&waiters == 0 && !cas32(w, held, held|waiters) {
			continue
		}
		futexWait(w, held|waiters, lockPatience)
	}
}

// tryAcquire is acquire for whoever does not sleep: for about a microsecond.
func tryAcquire(w *atomic.Uint32, owner uint32) (ok bool) {
	for spins := 0; spins < lockSpins; spins++ {
		pin()
		if cas32(w, 0, owner) {
			return true
		}
		unpin()
		for ; spins < lockSpins && w.Load() != 0; spins++ {
			pause(1)
		}
	}
	return false
}

// release frees the lock and wakes one sleeper. A death between the two leaves
// sleepers on a free lock: Recover wakes them, whoever died.
func release(w *atomic.Uint32) {
	held := swap32(w, 0)
	unpin()
	if held&waiters != 0 {
		crashpoint()
		futexWake(w, 1)
	}
}

// seize takes the lock from a dead owner for the one who recovers it. It
// reports whether the dead held it.
func seize(w *atomic.Uint32, dead, owner uint32) bool {
	for {
		held := w.Load()
		if held&^waiters != dead {
			return false
		}
		if cas32(w, held, owner|waiters) {
			return true
		}
	}
}

// handBack gives a lock that was seized back to its dead owner's name, because
// what it guards could not be repaired: the next recoverer finds what this one
// found. Nobody else changes the word meanwhile but to set the waiters bit.
func handBack(w *atomic.Uint32, owner, dead uint32) { cas32(w, owner|waiters, dead|waiters) }

// surrender frees a lock that was seized and wakes every sleeper.
func surrender(w *atomic.Uint32) {
	swap32(w, 0)
	wake(w)
}

// wake lets every sleeper look at the word again.
func wake(w *atomic.Uint32) {
	crashpoint()
	futexWake(w, wakeAll)
}
