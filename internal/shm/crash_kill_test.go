//go:build crashpoints

package shm

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// crashOrder tells a child process which region to open, which of the
// scenarios to run, and at which store to end itself.
type crashOrder struct {
	Path     string
	ID       ID
	Clock    uint64
	Scenario int
	Store    int
}

const crashOrderEnv = "FONDUE_TEST_CRASH_ORDER"

// TestCrashChild is the child's program; in the parent's run it does nothing.
func TestCrashChild(t *testing.T) {
	text, ok := os.LookupEnv(crashOrderEnv)
	if !ok {
		return
	}
	var o crashOrder
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	r := openCrashed(t, o.Path)
	crashClock = o.Clock
	s, err := r.Attach(o.ID)
	if err != nil {
		t.Fatal(err)
	}
	r.setHands(0)
	stores := 0
	crashHook = func() {
		if stores++; stores == o.Store {
			_ = unix.Kill(os.Getpid(), unix.SIGKILL)
			select {} // the signal ends this before another store
		}
	}
	for i, st := range crashScenarios()[o.Scenario].steps {
		if err := st.run(s); err != nil {
			t.Fatal(err)
		}
		fmt.Println("done", i+1)
	}
}

func openCrashed(t *testing.T, path string) *Region {
	t.Helper()
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	r.clock = func() uint64 { return crashClock }
	return r
}

// createCrashed makes a region in a file with the hashes of the heap's, so that
// a scenario has the same stores in both.
func createCrashed(t *testing.T, path string) {
	t.Helper()
	r, err := Create(path, crashGeometry)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	sb := r.mem.superblock()
	sb.hashSeed = crashSeed
	sb.crc = pageCRC(r.mem.page())
}

// TestCrashPointsKilled is TestCrashPoints with processes and SIGKILL over a
// mapped file, at stores of every scenario that are spread over all of it.
func TestCrashPointsKilled(t *testing.T) {
	each := 9
	if testing.Short() {
		each = 1
	}
	kills := 0
	for i, sc := range crashScenarios() {
		t.Run(sc.name, func(t *testing.T) {
			st := newStage(t, sc)
			for j := range min(each, st.stores) {
				// The first, the last, and between them; in short runs one that
				// differs from scenario to scenario.
				n := 1 + j*(st.stores-1)/max(each-1, 1)
				if each == 1 {
					n = 1 + i*7919%st.stores
				}
				st.kill(t, i, n)
				kills++
			}
		})
	}
	t.Logf("%d processes killed by SIGKILL", kills)
	if !testing.Short() && kills < 500 {
		t.Errorf("%d processes killed, at least 500 are promised", kills)
	}
}

// kill runs the scenario in a process that dies at store n.
func (st *stage) kill(t *testing.T, index, n int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "region")
	createCrashed(t, path)
	r := openCrashed(t, path)
	defer r.Close()
	master, _, err := r.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	o := outcome{trial: trial{n: n}, stage: st, past: newBygones(), versions: ledger{}}
	if st.world = build(t, master, st.sc); t.Failed() {
		return
	}
	id, err := master.Claim(-1)
	if err != nil {
		t.Fatal(err)
	}
	order, err := json.Marshal(crashOrder{Path: path, ID: id, Clock: crashClock, Scenario: index, Store: n})
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("/proc/self/exe", "-test.run=^TestCrashChild$")
	child.Env = append(os.Environ(), crashOrderEnv+"="+string(order))
	out, err := child.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the child was not killed at store %d of %d: %v\n%s", n, st.stores, err, out)
	}
	o.done = strings.Count(string(out), "done")
	crashClock = o.after(o.done).clock
	if _, err := master.Recover(id); err != nil {
		t.Fatal(err)
	}
	want, err := o.verify(master)
	if err == nil {
		err = o.goesOn(master, master, want)
	}
	if err != nil {
		t.Errorf("killed at store %d: %v", n, err)
	}
}
