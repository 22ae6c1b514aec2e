package listen

import (
	"errors"
	"path/filepath"
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
		if err := l.Steer([]bool{false, true, true}); err != nil {
			t.Errorf("%s: %v", l, err)
		}
	}
}
