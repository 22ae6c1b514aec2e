package proc

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Memory is that of processes in bytes. A page that several have mapped counts in each
// by its share, so that the sum has it once. What the kernel keeps for them, such as
// the buffers of sockets, is not in it.
type Memory struct {
	PSS int64
	// Anonymous is the part of it that is no file's, and no shared region's: heap,
	// stacks, and what an allocator keeps. 0: the kernel does not tell.
	Anonymous int64
}

// ReadMemory leaves out processes that have ended.
func ReadMemory(pids []int) (sum Memory, err error) {
	for _, pid := range pids {
		// One that has ended, or is about to, has no memory: its file is gone or its
		// reading ESRCH.
		text, err := os.ReadFile(path(pid, "smaps_rollup"))
		if err != nil {
			if err = gone(err); errors.Is(err, errGone) {
				continue
			}
			return Memory{}, err
		}
		one, err := parseMemory(string(text))
		if err != nil {
			return Memory{}, fmt.Errorf("process %d: %w", pid, err)
		}
		sum.PSS += one.PSS
		sum.Anonymous += one.Anonymous
	}
	return sum, nil
}

func parseMemory(text string) (m Memory, err error) {
	found := false
	for line := range strings.Lines(text) {
		name, rest, _ := strings.Cut(line, ":")
		var to *int64
		switch name {
		case "Pss":
			found, to = true, &m.PSS
		case "Pss_Anon":
			to = &m.Anonymous
		default:
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		if err != nil {
			return Memory{}, fmt.Errorf("smaps_rollup: %w", err)
		}
		*to = kib << 10
	}
	if !found {
		return Memory{}, errors.New("smaps_rollup has no Pss")
	}
	return m, nil
}
