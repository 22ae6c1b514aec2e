package worker

import (
	"bytes"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/shm"
)

const (
	beatInterval = 100 * time.Millisecond
	// memoryBeats is how many beats one reading of the memory serves.
	memoryBeats = 20
	// deaf is how long the goroutine may not have run while the loop beats.
	deaf = time.Second
)

// heartbeat tells the master that this process is alive: its goroutine does or, while
// there is an event loop, the loop, as long as the goroutine runs, too. So it ends
// with either of them. What they hang in need not be the same: a loop in a call
// that does not return, goroutines for want of a processor.
type heartbeat struct {
	store  *shm.Store
	start  time.Time
	ran    atomic.Int64 // when the goroutine did last, in ns since start
	byLoop atomic.Bool
}

func newHeartbeat(store *shm.Store) *heartbeat {
	return &heartbeat{store: store, start: time.Now()}
}

// run is the goroutine, until stop is closed. It also tells how much CPU and memory
// this process has used.
func (h *heartbeat) run(stop <-chan struct{}) {
	statm, err := os.Open("/proc/self/statm")
	if err == nil {
		defer statm.Close()
	}
	tick := time.NewTicker(beatInterval)
	defer tick.Stop()
	for n := 0; ; n++ {
		h.beat(time.Now())
		h.store.SetCPU(used())
		if n%memoryBeats == 0 && err == nil {
			h.store.SetMemory(residentBytes(statm))
		}
		select {
		case <-stop:
			return
		case <-tick.C:
		}
	}
}

func (h *heartbeat) beat(now time.Time) {
	h.ran.Store(int64(now.Sub(h.start)))
	if !h.byLoop.Load() {
		h.store.Beat()
	}
}

// loopBegun makes the beats the event loop's, before it turns: one that hangs at its
// first request has never beaten.
func (h *heartbeat) loopBegun() { h.byLoop.Store(true) }

// loopBeat is called by the event loop, each beatInterval.
func (h *heartbeat) loopBeat(now time.Time) {
	if now.Sub(h.start)-time.Duration(h.ran.Load()) < deaf {
		h.store.Beat()
	}
}

// loopEnded makes the beats the goroutine's again. No loopBeat comes after it.
func (h *heartbeat) loopEnded() { h.byLoop.Store(false) }

// used is the CPU that this process has used.
func used() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0 // it cannot fail for oneself
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

var pageSize = uint64(os.Getpagesize())

// residentBytes reads the second number of statm, in pages.
func residentBytes(statm *os.File) uint64 {
	var buf [128]byte
	n, _ := statm.ReadAt(buf[:], 0)
	_, rest, _ := bytes.Cut(buf[:n], []byte(" "))
	pages, _, _ := bytes.Cut(rest, []byte(" "))
	resident, _ := strconv.ParseUint(string(pages), 10, 64)
	return resident * pageSize
}
