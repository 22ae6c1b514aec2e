package proc

import (
	"os"
	"runtime"
	"testing"
	"time"
)

func TestWaitsOfACrowd(t *testing.T) {
	if _, err := os.Stat("/proc/self/schedstat"); err != nil {
		t.Skipf("this kernel keeps no figures of waiting threads: %v", err)
	}
	// More threads than there are CPUs, each busy: some of them must wait.
	const burnt = 100 * time.Millisecond
	n := 2 * runtime.NumCPU()
	var pids []int
	var ends []func()
	for range n {
		pid, burnt := launch(t, burnt, "itself")
		pids, ends = append(pids, pid), append(ends, burnt)
	}
	for _, wait := range ends {
		wait()
	}
	waits, err := ReadWaits(pids)
	if err != nil || len(waits) < n {
		t.Fatalf("%d threads of %d processes, %v", len(waits), n, err)
	}
	if sum := waits.Since(nil); sum < burnt/10 {
		t.Errorf("%d processes of %v each on %d CPUs waited for %v", n, burnt, runtime.NumCPU(), sum)
	}
	again, err := ReadWaits(pids)
	if err != nil {
		t.Fatal(err)
	}
	if sum := again.Since(waits); sum > burnt {
		t.Errorf("idle processes waited for %v", sum)
	}
}

func TestParseWait(t *testing.T) {
	t.Parallel()
	if waited, err := parseWait("1214531 42 7\n"); err != nil || waited != 42 {
		t.Errorf("%v, %v", waited, err)
	}
	for _, text := range []string{"", "1 2", "1 x 3"} {
		if _, err := parseWait(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestWaitsOfNewAndEndedThreads(t *testing.T) {
	t.Parallel()
	before := Waits{{"1", "1"}: 10, {"1", "2"}: 20}
	after := Waits{{"1", "1"}: 15, {"1", "3"}: 4}
	if sum := after.Since(before); sum != 9 {
		t.Errorf("%v: want 5 of the one that stayed, and 4 of the new one", sum)
	}
}
