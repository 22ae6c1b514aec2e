package worker

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/shm"
)

const (
	beatInterval = 100 * time.Millisecond
	// memoryBeats is how many beats one reading of the memory serves.
	memoryBeats = 20
)

// beat tells the master that this process is alive, until stop is closed.
func beat(store *shm.Store, stop <-chan struct{}) {
	statm, err := os.Open("/proc/self/statm")
	if err == nil {
		defer statm.Close()
	}
	tick := time.NewTicker(beatInterval)
	defer tick.Stop()
	for n := 0; ; n++ {
		store.Beat()
		store.SetCPU(used())
		if n%memoryBeats == 0 && err == nil {
			store.SetMemory(residentBytes(statm))
		}
		select {
		case <-stop:
			return
		case <-tick.C:
		}
	}
}

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
