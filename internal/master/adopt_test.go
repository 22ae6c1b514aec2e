package master

import (
	"testing"
	"time"
)

// What waits for a worker that is silent is served by the others in turn.
func TestQueueOfASilentWorker(t *testing.T) {
	perform(t, 3, func(f *theatre) {
		f.startServing()
		f.pass(time.Second)
		f.enqueue(0, 5)
		f.pass(time.Second)
		f.expectNothing() // its worker beats, and will accept
		f.freeze(0, true)
		f.pass(suspectAfter + 2*watchEvery)
		f.expect("steer [false true true]", "hand [1000] to 102")
		f.enqueue(0, 1)
		f.pass(watchEvery)
		f.expect("hand [1000] to 103")
		f.freeze(1, true)
		f.pass(suspectAfter + 2*watchEvery)
		f.expect("steer [false false true]")
		f.enqueue(0, 1)
		f.enqueue(1, 1)
		f.pass(watchEvery)
		f.expect("hand [1000] to 103", "hand [1001] to 103")
		f.freeze(2, true)
		f.pass(suspectAfter + 2*watchEvery)
		f.enqueue(2, 1)
		f.pass(2 * watchEvery) // nobody is left to do it
		f.expect("steer [false false false]")
		f.close()
	})
}

// What waits for a seat in back-off, or for a worker that does not come up, is
// served by the others, and what waits for one that boots is its own.
func TestQueueOfAnEmptySeat(t *testing.T) {
	perform(t, 2, func(f *theatre) {
		f.startServing()
		f.pass(time.Second)
		next := 101
		for range 12 { // until it waits for long
			f.ends(crashed, next)
			for f.empty(0) {
				f.pass(time.Millisecond)
			}
			next = f.last()
			f.says(next, isReady)
		}
		f.ends(crashed, next)
		f.enqueue(0, 3)
		f.pass(watchEvery)
		f.expect("hand [1000] to 102")
		for f.empty(0) {
			f.pass(time.Millisecond)
		}
		f.enqueue(0, 2)
		f.pass(suspectAfter / 2)
		if f.queuedAt(0) != 2 {
			t.Error("the queue of a worker that boots was given to another")
		}
		f.pass(suspectAfter)
		f.expect("hand [1000] to 102")
		f.close()
	})
}
