package proc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Waits is how long each thread of some processes was ready to run and had no
// CPU, since it began.
type Waits map[thread]time.Duration

type thread struct{ pid, id string }

// ReadWaits reads all threads of processes. Those that end meanwhile are left out.
// A kernel without the figures gives none, and no error.
func ReadWaits(pids []int) (Waits, error) {
	waits := Waits{}
	for _, pid := range pids {
		files, err := filepath.Glob(path(pid, "task/*/schedstat"))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				if errors.Is(gone(err), errGone) {
					continue
				}
				return nil, err
			}
			waited, err := parseWait(string(text))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			waits[thread{strconv.Itoa(pid), filepath.Base(filepath.Dir(file))}] = waited
		}
	}
	return waits, nil
}

// parseWait reads "on CPU, waiting, turns", the first two in nanoseconds
// (Documentation/scheduler/sched-stats.rst of the kernel).
func parseWait(text string) (time.Duration, error) {
	fields := strings.Fields(text)
	if len(fields) != 3 {
		return 0, fmt.Errorf("schedstat has not three fields: %q", text)
	}
	n, err := strconv.ParseInt(fields[1], 10, 64)
	return time.Duration(n), err
}

// Since is what was waited between two readings, by threads that were there at the
// second one.
func (w Waits) Since(before Waits) (sum time.Duration) {
	for id, waited := range w {
		sum += max(0, waited-before[id]) // a thread that is new has waited since it began
	}
	return sum
}
