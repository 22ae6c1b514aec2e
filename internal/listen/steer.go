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
	var targets []uint32
	for slot := range l.fds {
		if slot < len(live) && live[slot] {
			targets = append(targets, uint32(slot))
		}
	}
	// The program belongs to the whole group, whichever socket it is set on.
	if len(targets) == 0 || len(targets) == len(l.fds) && !l.inherited {
		err := unix.SetsockoptInt(l.fds[0], unix.SOL_SOCKET, unix.SO_DETACH_REUSEPORT_BPF, 0)
		if errors.Is(err, unix.ENOENT) {
			return nil // none is attached
		}
		return os.NewSyscallError("setsockopt", err)
	}
	program := steerTo(targets)
	return os.NewSyscallError("setsockopt", unix.SetsockoptSockFprog(l.fds[0], unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF,
		&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}))
}

// loadRandom is the address at which a classic program finds a random number:
// SKF_AD_OFF + SKF_AD_RANDOM of linux/filter.h, which are not in the packet.
const loadRandom = 0xfffff000 + 56

// steerTo is the classic program that returns one of the targets at random. A
// target is the position of a socket in its group, which is the order in which
// they began to listen, and that of the slots.
func steerTo(targets []uint32) []unix.SockFilter {
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: loadRandom},
		{Code: unix.BPF_ALU | unix.BPF_MOD | unix.BPF_K, K: uint32(len(targets))},
	}
	for i, target := range targets[:len(targets)-1] {
		program = append(program,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(i), Jt: 0, Jf: 1},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: target})
	}
	return append(program, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: targets[len(targets)-1]})
}
