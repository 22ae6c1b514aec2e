package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fondue-server/fondue/internal/master"
)

// affinity is what --cpu-affinity asks for.
type affinity struct {
	auto bool
	cpus []int // in the order of the workers
}

const maxCPU = 1023 // of the kernel's set of fixed size

// parseAffinity reads auto, off, or processors and ranges of them.
func parseAffinity(s string) (affinity, error) {
	switch s {
	case "auto":
		return affinity{auto: true}, nil
	case "off":
		return affinity{}, nil
	}
	var a affinity
	for part := range strings.SplitSeq(s, ",") {
		low, high, isRange := strings.Cut(strings.TrimSpace(part), "-")
		first, err := strconv.ParseUint(low, 10, 16)
		last := first
		if err == nil && isRange {
			last, err = strconv.ParseUint(high, 10, 16)
		}
		if err != nil || last < first || last > maxCPU {
			return affinity{}, fmt.Errorf("%q is not auto, off, or a list of CPUs such as 0,2,4-7", s)
		}
		for cpu := first; cpu <= last; cpu++ {
			a.cpus = append(a.cpus, int(cpu))
		}
	}
	return a, nil
}

// settle is the processors in the order of the workers, which this process may
// use; nil for none in particular.
func (a affinity) settle() ([]int, error) {
	if !a.auto && len(a.cpus) == 0 {
		return nil, nil
	}
	usable, err := master.UsableCPUs()
	if err != nil {
		return nil, fmt.Errorf("--cpu-affinity: %w", err)
	}
	if a.auto {
		return usable, nil
	}
	for _, cpu := range a.cpus {
		if !slices.Contains(usable, cpu) {
			return nil, usagef("--cpu-affinity: this process may not use CPU %d; it may use %s", cpu, ranges(usable))
		}
	}
	return a.cpus, nil
}

// ranges writes ascending numbers as a list that parseAffinity reads.
func ranges(numbers []int) string {
	var parts []string
	for i := 0; i < len(numbers); {
		end := i
		for end+1 < len(numbers) && numbers[end+1] == numbers[end]+1 {
			end++
		}
		part := strconv.Itoa(numbers[i])
		if end > i {
			part += "-" + strconv.Itoa(numbers[end])
		}
		parts = append(parts, part)
		i = end + 1
	}
	return strings.Join(parts, ",")
}
