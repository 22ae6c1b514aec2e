package load

import (
	"time"

	"golang.org/x/sys/unix"
)

// ownCPU is what this process has used since it began, all threads together.
func ownCPU() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t) != nil {
		return 0 // which is "not known"
	}
	return time.Duration(t.Nano())
}
