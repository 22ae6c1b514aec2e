package shm

import (
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	linearSlots   = 4
	linearCallers = 2 // goroutines of each process
	linearLanes   = linearSlots * linearCallers
)

// openLinearLog maps a log that all processes write to.
func openLinearLog(path string, total int) (*linearLog, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size := logWords(total, linearLanes) * 8
	if err := f.Truncate(int64(size)); err != nil {
		return nil, err
	}
	b, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return newLinearLog(memoryOf(b).words(0, uint64(size/8)), total, linearLanes), nil
}

// linearChild is one of the processes: slot, generation, log, total, seed.
func linearChild(args []string) error {
	s, err := attachChild(args)
	if err != nil {
		return err
	}
	n, err := integers(args[3:])
	if err != nil {
		return err
	}
	l, err := openLinearLog(args[2], n[0])
	if err != nil {
		return err
	}
	go func() { // no process outlives the test
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	ended := make(chan error, linearCallers)
	for i := range linearCallers {
		go func() { ended <- l.run(s.ID().Slot*linearCallers+i, s, uint64(n[1])) }()
	}
	for range linearCallers {
		if e := <-ended; e != nil {
			return e
		}
	}
	return nil
}

// linearTotal is how many operations the test makes: FONDUE_LINEAR.
func linearTotal(t *testing.T) int {
	if text := os.Getenv("FONDUE_LINEAR"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("FONDUE_LINEAR=%q: %v", text, err)
		}
		return n
	}
	if testing.Short() {
		return 20_000
	}
	return 100_000
}

// Processes call everything, and are killed while they do; those that go on are
// told what fits some order, in which each operation that was in flight at a
// kill happened, or did not.
func TestLinearizableProcesses(t *testing.T) {
	t.Parallel()
	const tickets = 1000 // between two kills
	total := linearTotal(t) / tickets * tickets
	r := mappedRegion(t, Geometry{Size: 16 << 20, Slots: linearSlots})
	master, _, err := r.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "log")
	l, err := openLinearLog(path, total)
	if err != nil {
		t.Fatal(err)
	}
	const seed = 20260101
	rng := rand.New(rand.NewPCG(seed, 2))
	var children [linearSlots]*child
	var ids [linearSlots]ID
	starts := 0
	spawn := func(slot int) {
		id, err := master.Claim(slot)
		if err != nil || id.Slot != slot {
			t.Fatalf("claim slot %d: %v, %v", slot, id, err)
		}
		starts++
		ids[slot], children[slot] = id, startChild(t, r, "linear", id.Slot, id.Generation, path, total, seed+starts)
	}
	for slot := range linearSlots {
		spawn(slot)
	}
	began, locks, kills := time.Now(), 0, 0
	for from := uint64(0); from < uint64(total); from += tickets {
		l.allowed.Store(from + tickets)
		moment := from + rng.Uint64N(tickets)
		await(t, "the processes to go on", func() bool { return l.next.Load() > moment })
		slot := rng.IntN(linearSlots)
		children[slot].kill(t)
		done, err := master.Recover(ids[slot])
		if err != nil {
			t.Fatalf("recover: %v", err)
		}
		locks, kills = locks+done.Locks, kills+1
		spawn(slot)
	}
	for slot, c := range children {
		if err := c.cmd.Wait(); err != nil { // the tickets end
			t.Errorf("the process in slot %d: %v", slot, err)
		}
		if _, err := master.Recover(ids[slot]); err != nil {
			t.Fatal(err)
		}
	}
	ran := time.Since(began)
	h, pending := l.history()
	wantLinearizable(t, h)
	t.Logf("seed %d: %d operations in %v, %d of them beside another one on the same key; %d kills, %d in flight at one, %d locks recovered; checked after %v",
		seed, len(h), ran.Round(time.Millisecond), overlaps(h), kills, pending, locks, time.Since(began).Round(time.Millisecond))
	if len(h) < total*9/10 {
		t.Errorf("%d of %d tickets were used", len(h), total)
	}
	// How many of those that are killed hold a lock is up to chance; the crash
	// tests see to that.
	if !testing.Short() && pending == 0 {
		t.Error("the kills hit nothing: this run proves nothing")
	}
}
