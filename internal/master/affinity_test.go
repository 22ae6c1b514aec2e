package master

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestOnCPUs: what is started there has the CPUs, and nothing else keeps them.
func TestOnCPUs(t *testing.T) {
	t.Parallel()
	runtime.LockOSThread() // the calls below are then seen to be of one thread
	defer runtime.UnlockOSThread()
	usable := func() []int {
		cpus, err := UsableCPUs()
		if err != nil || len(cpus) == 0 {
			t.Fatal(cpus, err)
		}
		return cpus
	}
	all, failed := usable(), errors.New("failed")
	last := all[len(all)-1:]
	for _, want := range []error{nil, failed} {
		var there []int
		if err := onCPUs(last, func() error { there = usable(); return want }); err != want || !slices.Equal(there, last) {
			t.Errorf("on CPUs %v, %v; want %v, %v", there, err, last, want)
		}
		if now := usable(); !slices.Equal(now, all) {
			t.Errorf("after it on %v, before on %v", now, all)
		}
	}
	err := onCPUs([]int{1023}, func() error { t.Error("started"); return nil })
	if err == nil || !strings.Contains(err.Error(), "1023") || !slices.Equal(usable(), all) {
		t.Errorf("a CPU that is not there: %v", err)
	}
	if err := onCPUs(nil, func() error { return failed }); err != failed {
		t.Error(err)
	}
}

func TestCPUOfASeat(t *testing.T) {
	t.Parallel()
	c := Config{CPUs: []int{4, 2}}
	for number, want := range []int{4, 2, 4, 2} {
		if got := c.cpuOf(&seat{number: number}); !slices.Equal(got, []int{want}) {
			t.Errorf("seat %d is on %v", number, got)
		}
	}
	if got := new(Config).cpuOf(&seat{number: 1}); got != nil {
		t.Errorf("without a choice: %v", got)
	}
}
