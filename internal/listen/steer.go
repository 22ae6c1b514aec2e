package listen

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Steer keeps new connections away from the slots that are not live, so that
// they do not wait in a queue that nobody serves. What is queued stays where it
// is. With all slots live, or none, the kernel picks by hash as before; unless the
// sockets were inherited: some that were not, or no longer are, may still be in
// their group.
//
// A listener with one socket for all has nobody to keep away from.
func (l *Listener) Steer(live []bool) error {
	if len(l.fds) < 2 {
		return nil
	}
	var all, targets []uint32
	for slot := range l.fds {
		all = append(all, uint32(slot))
		if slot < len(live) && live[slot] {
			targets = append(targets, uint32(slot))
		}
	}
	switch {
	case l.cpus != nil && len(targets) == 0:
		return l.attach(pickByCPU(l.slotsByCPU(), all))
	case l.cpus != nil:
		return l.attach(pickByCPU(l.slotsByCPU(), targets))
	case len(targets) == 0 || len(targets) == len(all) && !l.inherited:
		return l.detach()
	}
	return l.attach(pick(targets))
}

// SteerByCPU has Steer pick by the CPU that a connection arrives on, from its next
// call on: slot i has those of cpus[i], and around again where there are more slots
// than CPUs. Where there are fewer, the other CPUs' go to the first slot, the
// second and so on. What arrives on a CPU that is not in the list, or has no live
// slot, goes to any live one.
func (l *Listener) SteerByCPU(cpus []int) { l.cpus = cpus }

// slotsByCPU is the slots of each CPU, in ascending order.
func (l *Listener) slotsByCPU() map[int][]uint32 {
	slots, slotsOf := len(l.fds), map[int][]uint32{}
	for i := range max(slots, len(l.cpus)) {
		cpu := l.cpus[i%len(l.cpus)]
		if i < slots || slotsOf[cpu] == nil {
			slotsOf[cpu] = append(slotsOf[cpu], uint32(i%slots))
		}
	}
	return slotsOf
}

// attach sets the program. It belongs to the whole group, whichever socket it is
// set on.
func (l *Listener) attach(p program) error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptSockFprog(l.fds[0], unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF,
		&unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}))
}

func (l *Listener) detach() error {
	err := unix.SetsockoptInt(l.fds[0], unix.SOL_SOCKET, unix.SO_DETACH_REUSEPORT_BPF, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil // none is attached
	}
	return os.NewSyscallError("setsockopt", err)
}
