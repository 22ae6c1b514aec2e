package listen

import (
	"errors"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// shares counts which slots connections are queued at, and takes them out.
func shares(t *testing.T, l *Listener, slots, connections int) []int {
	t.Helper()
	for range connections {
		dial(t, l)
	}
	counts := make([]int, slots)
	for slot := range counts {
		for {
			fd, _, err := unix.Accept(l.FD(slot))
			if errors.Is(err, unix.EAGAIN) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			unix.Close(fd)
			counts[slot]++
		}
	}
	return counts
}

func TestSteer(t *testing.T) {
	for _, address := range loopbacks(t) {
		const slots, connections = 4, 200
		l := open(t, address, slots, PerSlot)
		for _, live := range [][]bool{
			{true, true, true, true},
			{false, true, true, true},
			{true, false, true, false},
			{false, false, false, true},
			{false, false, false, false}, // nobody is no choice: as without a program
			{true, true, false, true},
			{true, true, true, true},
			{true, true, true, true},
		} {
			if err := l.Steer(live); err != nil {
				t.Fatalf("%s: Steer(%v): %v", address, live, err)
			}
			none := live[0] == live[1] && live[1] == live[2] && live[2] == live[3] && !live[0]
			for slot, n := range shares(t, l, slots, connections) {
				if want := live[slot] || none; want != (n > 0) {
					t.Errorf("%s: Steer(%v): slot %d got %d of %d", address, live, slot, n, connections)
				}
			}
		}
	}
}

func TestSteerOneSocket(t *testing.T) {
	for _, l := range []*Listener{
		open(t, "127.0.0.1:0", 1, PerSlot),
		open(t, "127.0.0.1:0", 3, Shared),
		open(t, "unix:"+filepath.Join(t.TempDir(), "s"), 3, PerSlot),
	} {
		for _, cpus := range [][]int{nil, {0}} {
			l.SteerByCPU(cpus)
			if err := l.Steer([]bool{false, true, true}); err != nil {
				t.Errorf("%s: %v", l, err)
			}
		}
	}
}

// from does something on a CPU alone. Connections over the loopback arrive where
// they were made.
func from(t *testing.T, cpu int, do func()) {
	t.Helper()
	var err error
	done := make(chan struct{})
	go func() { // its thread, which is bound to the CPU, ends with it
		defer close(done)
		runtime.LockOSThread()
		var set unix.CPUSet
		set.Set(cpu)
		if err = unix.SchedSetaffinity(0, &set); err == nil {
			do()
		}
	}()
	if <-done; err != nil {
		t.Fatal(err)
	}
}

// someCPUs is a few that this process may use: no more than there are slots.
func someCPUs(t *testing.T) (cpus []int) {
	t.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	for cpu := 0; len(cpus) < min(set.Count(), 3); cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}

// wantByCPU makes connections on each CPU, and looks which slots they wait at:
// those of the CPU that are live, or all that are live where it has none.
func wantByCPU(t *testing.T, l *Listener, cpus []int, live []bool) {
	t.Helper()
	const connections = 60
	if !slices.Contains(live, true) {
		live = slices.Repeat([]bool{true}, len(live)) // nobody is no choice
	}
	for at, cpu := range cpus {
		want := make([]bool, len(live))
		for slot := range live {
			want[slot] = live[slot] && slot%len(cpus) == at
		}
		if !slices.Contains(want, true) {
			want = live
		}
		var got []int
		from(t, cpu, func() { got = shares(t, l, len(live), connections) })
		for slot, n := range got {
			if want[slot] != (n > 0) {
				t.Errorf("%s: live %v: from CPU %d of %v slot %d got %d of %d", l, live, cpu, cpus, slot, n, connections)
			}
		}
	}
}

// TestSteerByCPU: a connection waits at a slot of the CPU that it was made on.
func TestSteerByCPU(t *testing.T) {
	t.Parallel()
	cpus := someCPUs(t)
	backwards := slices.Clone(cpus)
	slices.Reverse(backwards)
	for _, address := range loopbacks(t) {
		for _, cpus := range [][]int{cpus, backwards} {
			const slots = 4
			l := open(t, address, slots, PerSlot)
			l.SteerByCPU(cpus)
			for _, live := range [][]bool{
				{true, true, true, true},
				{true, false, true, true},
				{false, true, false, true}, // one CPU of two is without
				{false, false, false, false},
				{true, true, true, true},
			} {
				if err := l.Steer(live); err != nil {
					t.Fatal(err)
				}
				wantByCPU(t, l, cpus, live)
			}
			if err := l.Resize(slots + 1); err != nil {
				t.Fatal(err)
			}
			for _, live := range [][]bool{{true, true, true, true, false}, {true, true, true, true, true}} {
				if err := l.Steer(live); err != nil {
					t.Fatal(err)
				}
				wantByCPU(t, l, cpus, live)
			}
			if err := l.Resize(slots - 1); err != nil {
				t.Fatal(err)
			}
			live := []bool{true, true, true}
			if err := l.Steer(live); err != nil {
				t.Fatal(err)
			}
			wantByCPU(t, l, cpus, live)
		}
	}
}

// TestSteerInherited: who takes sockets over steers them in its own way.
func TestSteerInherited(t *testing.T) {
	t.Parallel()
	cpus, live := someCPUs(t), []bool{true, true, true}
	lender := open(t, "127.0.0.1:0", len(live), PerSlot)
	if err := lender.Reserve(5); err != nil {
		t.Fatal(err)
	}
	heir := takeOver(t, handed(t, lender))
	heir.SteerByCPU(cpus)
	if err := heir.Steer(live); err != nil {
		t.Fatal(err)
	}
	wantByCPU(t, heir, cpus, live)
	if err := heir.Resize(5); err != nil { // with sockets to spare
		t.Fatal(err)
	}
	live = []bool{true, true, true, true, true}
	if err := heir.Steer(live); err != nil {
		t.Fatal(err)
	}
	wantByCPU(t, heir, cpus, live)
	last := takeOver(t, handed(t, heir))
	if err := last.Steer(live); err != nil {
		t.Fatal(err)
	}
	from(t, cpus[0], func() { // by hash, as it was not told otherwise
		for slot, n := range shares(t, last, len(live), 200) {
			if n == 0 {
				t.Errorf("slot %d got nothing", slot)
			}
		}
	})
}
