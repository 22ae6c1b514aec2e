package proc

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// The test binary is also the child: it burns so many milliseconds of CPU, by
// itself or in a child of its own, writes a line, and waits for its stdin to end.
const burnEnv = "PROC_TEST_BURN"

func TestMain(m *testing.M) {
	milliseconds, err := strconv.Atoi(os.Getenv(burnEnv))
	if err != nil {
		os.Exit(m.Run())
	}
	if len(os.Args) > 1 && os.Args[1] == "nested" {
		child := exec.Command("/proc/self/exe", "quick")
		if err := child.Run(); err != nil {
			panic(err)
		}
	} else {
		burn(time.Duration(milliseconds) * time.Millisecond)
	}
	if len(os.Args) > 1 && os.Args[1] == "quick" {
		return
	}
	fmt.Println("burnt")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func burn(d time.Duration) {
	self := func() ([]int, error) { return []int{os.Getpid()}, nil }
	for {
		used, err := ReadCPU(self)
		if err != nil {
			panic(err)
		}
		if used.exact >= d {
			return
		}
	}
}

// start runs a child that has burnt its time when it returns.
func start(t *testing.T, d time.Duration, args ...string) int {
	t.Helper()
	pid, burnt := launch(t, d, args...)
	burnt()
	return pid
}

// launch runs a child, and returns what waits until it has burnt its time.
func launch(t *testing.T, d time.Duration, args ...string) (pid int, burnt func()) {
	t.Helper()
	child := exec.Command("/proc/self/exe", args...)
	child.Env = append(os.Environ(), fmt.Sprintf("%s=%d", burnEnv, d.Milliseconds()))
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := child.Wait(); err != nil {
			t.Error(err)
		}
	})
	return child.Process.Pid, func() {
		t.Helper()
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCPUOfAChild(t *testing.T) {
	t.Parallel()
	const burnt = 200 * time.Millisecond
	for _, how := range []string{"itself", "nested"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			pid := start(t, burnt, how)
			used, err := ReadCPU(func() ([]int, error) { return []int{pid}, nil })
			if err != nil {
				t.Fatal(err)
			}
			user, system := used.Since(CPU{})
			if sum := user + system; sum < burnt-tick || sum > 3*burnt {
				t.Errorf("%v of CPU (user %v, system %v), want %v and a little more", sum, user, system, burnt)
			}
			// Reading /proc and a clock again and again is the kernel's work, too.
			if user < tick || system < tick {
				t.Errorf("user %v, system %v: want some of each", user, system)
			}
			again, err := ReadCPU(func() ([]int, error) { return []int{pid}, nil })
			if err != nil {
				t.Fatal(err)
			}
			if user, system := again.Since(used); user+system > burnt/4 {
				t.Errorf("an idle process used %v", user+system)
			}
		})
	}
}

func TestSinceSplitsTheExactSumByTicks(t *testing.T) {
	t.Parallel()
	before := CPU{User: 100 * tick, System: 10 * tick, exact: 1100*time.Millisecond + 7}
	after := CPU{User: 103 * tick, System: 11 * tick, exact: 1140*time.Millisecond + 19}
	user, system := after.Since(before)
	if user+system != 40*time.Millisecond+12 {
		t.Errorf("sum %v", user+system)
	}
	if user != 30*time.Millisecond+9 {
		t.Errorf("user %v", user)
	}
	after.ended = 2 * tick
	if user, system = after.Since(before); user+system != 60*time.Millisecond+12 {
		t.Errorf("sum with a child that ended: %v", user+system)
	}
}

func TestASetThatChangesIsReadAgain(t *testing.T) {
	t.Parallel()
	self, ended := os.Getpid(), exec.Command("/proc/self/exe", "-test.run=^$")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	sets := [][]int{{self, ended.Process.Pid}, {self}, {self}}
	used, err := ReadCPU(func() ([]int, error) {
		set := sets[0]
		sets = sets[1:]
		return set, nil
	})
	if err != nil || used.exact == 0 || len(sets) != 0 {
		t.Errorf("used %+v, %d sets left, error %v", used, len(sets), err)
	}
	one := true
	_, err = ReadCPU(func() ([]int, error) {
		if one = !one; one {
			return []int{self}, nil
		}
		return []int{self, self}, nil
	})
	if err == nil {
		t.Error("a set that never stays was read")
	}
}

func TestParseStat(t *testing.T) {
	t.Parallel()
	s, err := parseStat("12 (a) b) (c)) S 1 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 100\n")
	want := stat{'S', 5 * tick, 6 * tick, 7 * tick, 8 * tick}
	if err != nil || s != want {
		t.Errorf("%+v, %v; want %+v", s, err, want)
	}
	for _, text := range []string{"", "12 (a) S 1 2", "12 (a) S 1 12 12 0 -1 4194560 1 2 3 4 x 6 7 8 20"} {
		if _, err := parseStat(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	pid := start(t, time.Millisecond)
	m, err := ReadMemory([]int{pid})
	if err != nil || m.PSS < 1<<20 || m.PSS > 1<<30 || m.Anonymous < 100<<10 || m.Anonymous > m.PSS {
		t.Errorf("memory of a child %+v, %v", m, err)
	}
	m, err = parseMemory("00400000-7ffd [rollup]\nRss:     900 kB\nPss:     5 kB\nPss_Anon: 3 kB\n")
	if want := (Memory{5 << 10, 3 << 10}); err != nil || m != want {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := parseMemory("Rss: 900 kB\n"); err == nil {
		t.Error("no Pss was read")
	}
}
