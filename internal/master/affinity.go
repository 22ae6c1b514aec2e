package master

import (
	"fmt"
	"os"
	"runtime"

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

// onCPUs calls start on a thread that is bound to the processors: a process that
// is started there has them from its first instruction on, in every thread. With
// none, start is only called.
func onCPUs(cpus []int, start func() error) error {
	if len(cpus) == 0 {
		return start()
	}
	var before, wanted unix.CPUSet
	for _, cpu := range cpus {
		wanted.Set(cpu)
	}
	runtime.LockOSThread()
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		runtime.UnlockOSThread()
		return os.NewSyscallError("sched_getaffinity", err)
	}
	if err := unix.SchedSetaffinity(0, &wanted); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("bind it to CPU %v: %w", cpus, os.NewSyscallError("sched_setaffinity", err))
	}
	err := start()
	// Where it cannot be undone the thread stays with the goroutine that did it,
	// and other goroutines, and threads made for them, have all processors.
	if unix.SchedSetaffinity(0, &before) == nil {
		runtime.UnlockOSThread()
	}
	return err
}
