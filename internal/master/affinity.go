package master

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// UsableCPUs is the processors that this process may run on, in ascending order.
func UsableCPUs() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	var cpus []int
	for cpu := 0; len(cpus) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// cpuOf is the processor of a seat's workers, as a list for the handoff; none
// where they may run on any.
func (c *Config) cpuOf(s *seat) []int {
	if len(c.CPUs) == 0 {
		return nil
	}
	return []int{c.CPUs[s.number%len(c.CPUs)]}
}

// arrivals is the processors that new connections are steered by, in the order of
// the seats.
func (c *Config) arrivals() ([]int, error) {
	if len(c.CPUs) > 0 {
		return c.CPUs, nil
	}
	return UsableCPUs()
}

// bind binds the calling thread to the processors.
func bind(cpus []int) change {
	return func() (undo func() error, err error) {
		var before, wanted unix.CPUSet
		for _, cpu := range cpus {
			wanted.Set(cpu)
		}
		if err := unix.SchedGetaffinity(0, &before); err != nil {
			return nil, os.NewSyscallError("sched_getaffinity", err)
		}
		if err := unix.SchedSetaffinity(0, &wanted); err != nil {
			return nil, fmt.Errorf("bind it to CPU %v: %w", cpus, os.NewSyscallError("sched_setaffinity", err))
		}
		return func() error { return unix.SchedSetaffinity(0, &before) }, nil
	}
}
