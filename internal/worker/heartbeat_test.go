package worker

import (
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
)

// beats reports whether f tells the master that this process is alive.
func beats(store *shm.Store, f func()) bool {
	before := store.BeatOf(store.ID().Slot)
	time.Sleep(2 * time.Millisecond) // the clock of beats goes on
	f()
	return store.BeatOf(store.ID().Slot) != before
}

// TestHeartbeat: without a loop the goroutine beats until it is told to stop.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	region, store := newStore(t)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		newHeartbeat(store).run(stop)
		close(done)
	}()
	waitFor(t, "beats", func() bool { return beats(store, func() { time.Sleep(beatInterval) }) })
	waitFor(t, "figures", func() bool {
		row := region.WorkerSlots()[store.ID().Slot]
		return row.CPU > 0 && row.Memory > 0
	})
	close(stop)
	<-done
	if beats(store, func() { time.Sleep(2 * beatInterval) }) {
		t.Error("it goes on when it has stopped")
	}
}

// TestHeartbeatOfLoop: where there is a loop, the end of its beats is found, even of one
// that never began, and so is that of the goroutine.
func TestHeartbeatOfLoop(t *testing.T) {
	t.Parallel()
	_, store := newStore(t)
	h := newHeartbeat(store)
	at := func(d time.Duration) time.Time { return h.start.Add(d) }
	for i, step := range []struct {
		f    func()
		want bool
	}{
		{func() { h.beat(at(0)) }, true}, // the loop has not begun
		{h.loopBegun, false},
		{func() { h.beat(at(0)) }, false},
		{func() { h.loopBeat(at(1)) }, true},
		{func() { h.beat(at(beatInterval)) }, false}, // which would hide a loop that hangs
		{func() { h.loopBeat(at(beatInterval + deaf - 1)) }, true},
		{func() { h.loopBeat(at(beatInterval + deaf)) }, false}, // the goroutine hangs
		{func() { h.beat(at(5 * time.Second)) }, false},
		{func() { h.loopBeat(at(5*time.Second + 1)) }, true}, // it goes on
		{func() { h.loopBeat(at(5*time.Second - 1)) }, true}, // the loop's time is the earlier one
		{func() { h.loopEnded() }, false},
		{func() { h.beat(at(6 * time.Second)) }, true},
	} {
		if got := beats(store, step.f); got != step.want {
			t.Errorf("step %d: beat %v", i, got)
		}
	}
}
