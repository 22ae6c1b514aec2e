package proc

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// PSS is the memory of processes in bytes. A page that several have mapped counts
// in each by its share, so that the sum has it once.
func PSS(pids []int) (int64, error) {
	var sum int64
	for _, pid := range pids {
		// One that has ended, or is about to, has no memory: its file is gone or its
		// reading ESRCH.
		text, err := os.ReadFile(path(pid, "smaps_rollup"))
		if err != nil {
			if err = gone(err); errors.Is(err, errGone) {
				continue
			}
			return 0, err
		}
		bytes, err := pss(string(text))
		if err != nil {
			return 0, fmt.Errorf("process %d: %w", pid, err)
		}
		sum += bytes
	}
	return sum, nil
}

func pss(text string) (int64, error) {
	for line := range strings.Lines(text) {
		rest, found := strings.CutPrefix(line, "Pss:")
		if !found {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("smaps_rollup: %w", err)
		}
		return kib << 10, nil
	}
	return 0, errors.New("smaps_rollup has no Pss")
}
