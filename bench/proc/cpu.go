package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// CPU is the time that processes have used since they began, with that of their
// children that have ended.
type CPU struct {
	User, System time.Duration
	// exact is of the living, in nanoseconds; User and System, and what the ended
	// children have used, are known in ticks.
	exact, ended time.Duration
}

// Since is what was used between two readings. The sum is exact to the
// nanosecond but for children that ended in between; the kernel keeps the split
// in ticks.
func (c CPU) Since(before CPU) (user, system time.Duration) {
	total := max(0, c.exact+c.ended-before.exact-before.ended)
	user, system = max(0, c.User-before.User), max(0, c.System-before.System)
	if user+system == 0 {
		return total, 0 // less than a tick
	}
	user = time.Duration(float64(total) * float64(user) / float64(user+system))
	return user, total - user
}

// attempts bounds how often a set of processes is read that changes meanwhile.
const attempts = 10

// ReadCPU reads the processes that list has. One that ends is in its parent's
// children from then on: the set must be the same before and after, or its time
// would be counted twice or not at all.
func ReadCPU(list func() ([]int, error)) (CPU, error) {
	for range attempts {
		before, err := list()
		if err != nil {
			return CPU{}, err
		}
		if len(before) == 0 {
			return CPU{}, errors.New("the server has no processes")
		}
		sum, err := readAll(before)
		if errors.Is(err, errGone) {
			continue
		}
		if err != nil {
			return CPU{}, err
		}
		after, err := list()
		if err != nil {
			return CPU{}, err
		}
		slices.Sort(before)
		slices.Sort(after)
		if slices.Equal(before, after) {
			return sum, nil
		}
	}
	return CPU{}, fmt.Errorf("processes come and go: none of %d readings was whole", attempts)
}

func readAll(pids []int) (CPU, error) {
	var sum CPU
	for _, pid := range pids {
		s, err := readStat(pid)
		if err != nil {
			return CPU{}, err
		}
		sum.User += s.user + s.childUser
		sum.System += s.system + s.childSystem
		sum.ended += s.childUser + s.childSystem
		if s.state == 'Z' {
			sum.exact += s.user + s.system // it has no clock any more
			continue
		}
		var t unix.Timespec
		if err := unix.ClockGettime(clock(pid), &t); err != nil {
			return CPU{}, fmt.Errorf("clock of process %d: %w", pid, gone(err))
		}
		sum.exact += time.Duration(t.Nano())
	}
	return sum, nil
}

// clock is clock_getcpuclockid(3).
func clock(pid int) int32 { return int32(^pid<<3 | 2) }

// gone tells an ended process from other errors. A clock without its process is
// EINVAL.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return errGone
	}
	return err
}
