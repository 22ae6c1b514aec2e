package listen

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// run is what a program returns on a CPU, and with a random number.
func (p program) run(t *testing.T, cpu int, random uint32) (slot uint32) {
	t.Helper()
	var a uint32
	for pc := 0; pc < len(p); pc++ {
		switch i := p[pc]; i.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			a = map[uint32]uint32{loadCPU: uint32(cpu), loadRandom: random}[i.K]
		case unix.BPF_ALU | unix.BPF_MOD | unix.BPF_K:
			a %= i.K
		case unix.BPF_ALU | unix.BPF_MUL | unix.BPF_K:
			a *= i.K
		case unix.BPF_ALU | unix.BPF_ADD | unix.BPF_K:
			a += i.K
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(i.K)
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			if a == i.K {
				pc += int(i.Jt)
			} else {
				pc += int(i.Jf)
			}
		case unix.BPF_RET | unix.BPF_K:
			return i.K
		case unix.BPF_RET | unix.BPF_A:
			return a
		default:
			t.Fatalf("instruction %d: %+v", pc, i)
		}
	}
	t.Fatal("no return")
	return 0
}

// picked is the slots that a program returns on a CPU, each as often as another.
func (p program) picked(t *testing.T, cpu int) string {
	t.Helper()
	counts := map[uint32]int{}
	const each = 60 // a multiple of the numbers of slots below
	for random := range uint32(each) {
		counts[p.run(t, cpu, random)]++
	}
	for slot, n := range counts {
		if n != each/len(counts) {
			t.Errorf("on CPU %d slot %d is picked %d times of %d, of %v", cpu, slot, n, each, counts)
		}
	}
	var text string
	for slot := range uint32(1000) {
		if counts[slot] > 0 {
			text += fmt.Sprint(slot, " ")
		}
	}
	return text
}

func TestPick(t *testing.T) {
	t.Parallel()
	for want, slots := range map[string][]uint32{
		"3 ": {3}, "0 1 2 ": {0, 1, 2}, "4 5 ": {4, 5}, "1 3 5 ": {1, 3, 5}, "0 1 3 ": {0, 1, 3}, "0 2 5 6 ": {0, 2, 5, 6},
	} {
		if got := pick(slots).picked(t, 0); got != want {
			t.Errorf("picks %s, want %s", got, want)
		}
	}
}

// TestPickByCPU: what a CPU's connections get, with all slots live and with some.
func TestPickByCPU(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cpus  []int
		slots int
		live  []uint32
		want  map[int]string // by CPU
	}{
		{[]int{0, 1, 2}, 3, []uint32{0, 1, 2}, map[int]string{0: "0 ", 1: "1 ", 2: "2 ", 3: "0 1 2 ", 700: "0 1 2 "}},
		{[]int{0, 1, 2}, 3, []uint32{0, 2}, map[int]string{0: "0 ", 1: "0 2 ", 2: "2 "}},
		{[]int{6, 4}, 2, []uint32{0, 1}, map[int]string{6: "0 ", 4: "1 ", 5: "0 1 "}},
		// more slots than CPUs
		{[]int{0, 1}, 5, []uint32{0, 1, 2, 3, 4}, map[int]string{0: "0 2 4 ", 1: "1 3 "}},
		{[]int{0, 1}, 5, []uint32{1, 2, 4}, map[int]string{0: "2 4 ", 1: "1 "}},
		{[]int{0, 1}, 5, []uint32{0, 2}, map[int]string{0: "0 2 ", 1: "0 2 "}},
		{[]int{7}, 4, []uint32{0, 1, 3}, map[int]string{7: "0 1 3 ", 8: "0 1 3 "}},
		// fewer
		{[]int{0, 1, 2, 3, 4}, 2, []uint32{0, 1}, map[int]string{0: "0 ", 1: "1 ", 2: "0 ", 3: "1 ", 4: "0 "}},
		{[]int{0, 1, 2, 3}, 2, []uint32{1}, map[int]string{0: "1 ", 1: "1 ", 2: "1 "}},
		// a CPU that is named again
		{[]int{1, 0, 1}, 3, []uint32{0, 1, 2}, map[int]string{0: "1 ", 1: "0 2 "}},
		{[]int{0, 1, 1}, 2, []uint32{0, 1}, map[int]string{0: "0 ", 1: "1 "}},
	} {
		l := &Listener{fds: make([]int, c.slots)}
		l.SteerByCPU(c.cpus)
		for cpu, want := range c.want {
			if got := pickByCPU(l.slotsByCPU(), c.live).picked(t, cpu); got != want {
				t.Errorf("%d slots over CPUs %v, live %v: from CPU %d to %s, want %s", c.slots, c.cpus, c.live, cpu, got, want)
			}
		}
	}
}

// TestProgramsFit: the kernel takes no longer ones, however many slots there are.
func TestProgramsFit(t *testing.T) {
	t.Parallel()
	const slots = 1000
	for name, dead := range map[string]func(slot int) bool{
		"none": func(int) bool { return false }, "one": func(slot int) bool { return slot == 501 }, "a third": func(slot int) bool { return slot%3 == 1 },
	} {
		var live []uint32
		for slot := range slots {
			if !dead(slot) {
				live = append(live, uint32(slot))
			}
		}
		for _, cpus := range []int{1, 2, 300, 500, 1000, 1024} {
			l := &Listener{fds: make([]int, slots)}
			for cpu := range cpus {
				l.cpus = append(l.cpus, cpu)
			}
			p := pickByCPU(l.slotsByCPU(), live)
			if len(p) > unix.BPF_MAXINSNS {
				t.Errorf("%d CPUs, %s dead: %d instructions", cpus, name, len(p))
			}
			for _, cpu := range []int{0, 1, cpus - 1, cpus} {
				for random := range uint32(100) {
					if slot := int(p.run(t, cpu, random*7919)); slot >= slots || dead(slot) {
						t.Fatalf("%d CPUs, %s dead: from CPU %d to slot %d", cpus, name, cpu, slot)
					}
				}
			}
		}
	}
}
