//go:build crashpoints

package shm

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// crashOrder tells a child process which region to open, which of the
// scenarios to run, and at which store to end itself.
type crashOrder struct {
	Path     string
	Slot     int
	Gen      uint32
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
	r, err := Open(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Attach(ID{Slot: o.Slot, Generation: o.Gen})
	if err != nil {
		t.Fatal(err)
	}
	stores := 0
	crashHook = func() {
		if stores++; stores == o.Store {
			_ = unix.Kill(os.Getpid(), unix.SIGKILL)
			select {} // the signal ends this before another store
		}
	}
	for i, st := range crashScenarios()[o.Scenario].steps {
		if err := st.do(s); err != nil {
			t.Fatal(err)
		}
		os.Stdout.Write([]byte("done " + strconv.Itoa(i+1) + "\n"))
	}
}

// TestCrashPointsKilled is TestCrashPoints with processes and SIGKILL over a
// mapped file: in -short runs every second store, else every one.
func TestCrashPointsKilled(t *testing.T) {
	every := 1
	if testing.Short() {
		every = 2
	}
	kills, lived := 0, 0
	for i, sc := range crashScenarios() {
		t.Run(sc.name, func(t *testing.T) {
			stores, _, err := trial{}.run(t, sc)
			if err != nil {
				t.Fatal(err)
			}
			for n := 1 + i%every; n <= stores; n += every {
				if killChild(t, i, n) {
					kills++
				} else {
					lived++
				}
			}
		})
	}
	t.Logf("%d processes killed by SIGKILL, %d lived", kills, lived)
	// A region's own seed makes other chains, so that a step may need a store
	// less than in the counting run; no more than that.
	if lived > kills/20 {
		t.Errorf("%d processes were not killed", lived)
	}
}

// killChild reports whether the child died, and not by itself.
func killChild(t *testing.T, index, n int) (killed bool) {
	t.Helper()
	sc := crashScenarios()[index]
	path := filepath.Join(t.TempDir(), "region")
	r, err := Create(path, crashGeometry)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	master, _, err := r.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run(master, sc.prepare); err != nil {
		t.Fatal(err)
	}
	id, err := master.Claim(-1)
	if err != nil {
		t.Fatal(err)
	}
	order, err := json.Marshal(crashOrder{Path: path, Slot: id.Slot, Gen: id.Generation, Scenario: index, Store: n})
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0], "-test.run=^TestCrashChild$")
	child.Env = append(os.Environ(), crashOrderEnv+"="+string(order))
	out, err := child.Output()
	var exit *exec.ExitError
	killed = errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
	if !killed && err != nil {
		t.Fatalf("child: %v\n%s", err, out)
	}
	if _, err := master.Recover(id); err != nil {
		t.Fatal(err)
	}
	done := 0
	for i := range out {
		if out[i] == '\n' {
			done++
		}
	}
	if !killed {
		// Hashes differ by the region's own seed, so a chain or a slab may
		// need a store less than in the counting run.
		done = len(sc.steps)
	}
	before := world{keys: map[string]int64{}}
	before = before.after(sc.prepare, len(sc.prepare))
	if err := (trial{}).verify(master, sc, before, done, nil); err != nil {
		t.Errorf("killed at store %d: %v", n, err)
	}
	return killed
}
