package listen

import (
	"maps"
	"slices"

	"golang.org/x/sys/unix"
)

// program is a classic one that picks the socket of a new connection. What it
// returns is the position of the socket in its group, which is the order in which
// they began to listen, and that of the slots.
type program []unix.SockFilter

// Addresses at which a program finds what is not in the packet: SKF_AD_OFF with
// SKF_AD_CPU and SKF_AD_RANDOM of linux/filter.h.
const (
	loadCPU    = 0xfffff000 + 36
	loadRandom = 0xfffff000 + 56
)

// pick returns one of the slots at random. They are in ascending order, and there
// is one at least.
func pick(slots []uint32) program {
	first, last := slots[0], slots[len(slots)-1]
	if len(slots) == 1 {
		return program{{Code: unix.BPF_RET | unix.BPF_K, K: first}}
	}
	p := program{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: loadRandom},
		{Code: unix.BPF_ALU | unix.BPF_MOD | unix.BPF_K, K: uint32(len(slots))},
	}
	if step, even := stepOf(slots); even { // as it is while all are live, however many
		return append(p,
			unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_MUL | unix.BPF_K, K: step},
			unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_ADD | unix.BPF_K, K: first},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_A})
	}
	for i, slot := range slots[:len(slots)-1] {
		p = append(p,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(i), Jt: 0, Jf: 1},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: slot})
	}
	return append(p, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: last})
}

// stepOf is what lies between each of several slots and the next, where that is
// the same for all.
func stepOf(slots []uint32) (step uint32, even bool) {
	step = slots[1] - slots[0]
	for i := range slots[1:] {
		if slots[i+1]-slots[i] != step {
			return 0, false
		}
	}
	return step, true
}

// pickByCPU returns one of the live slots of the CPU that the connection arrives
// on, and any live one where that has none.
func pickByCPU(slotsOf map[int][]uint32, live []uint32) program {
	p := program{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: loadCPU}}
	for _, cpu := range slices.Sorted(maps.Keys(slotsOf)) {
		slots := slices.DeleteFunc(slices.Clone(slotsOf[cpu]), func(slot uint32) bool { return !slices.Contains(live, slot) })
		if len(slots) == 0 {
			continue
		}
		part := pick(slots)
		if len(part) == 1 {
			p = append(p, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(cpu), Jt: 0, Jf: 1})
		} else { // a conditional jump reaches 255 instructions, this one all
			p = append(p,
				unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(cpu), Jt: 1, Jf: 0},
				unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JA, K: uint32(len(part))})
		}
		p = append(p, part...)
	}
	if p = append(p, pick(live)...); len(p) > unix.BPF_MAXINSNS {
		return pick(live) // hundreds of CPUs and slots, some of them not live
	}
	return p
}
