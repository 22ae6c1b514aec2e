package listen

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// dropSYN is the classic filter program that lets every segment pass but the
// first one of a handshake. The kernel hands it the segment from the TCP header
// on, for IPv4 and IPv6 alike; byte 13 holds the flags.
var dropSYN = [...]unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 13},
	{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: flagSYN | flagACK},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: flagSYN, Jt: 0, Jf: 1},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
}

const (
	flagSYN = 0x02
	flagACK = 0x10
)

// CloseDoor lets no new connection into the listening socket, which every
// process that holds it will notice. Queued connections can be accepted still.
//
// On TCP a handshake under way is completed; a client that comes later gets no
// answer and tries again after its retransmission time, one second, when the
// address is either refused or served by a successor. On a Unix socket it is
// refused at once.
func CloseDoor(fd int) error {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	switch domain {
	case unix.AF_UNIX:
		return os.NewSyscallError("shutdown", unix.Shutdown(fd, unix.SHUT_RD))
	case unix.AF_INET, unix.AF_INET6:
		program := dropSYN
		return os.NewSyscallError("setsockopt", unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
			&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}))
	}
	return fmt.Errorf("close the door of descriptor %d: socket domain %d is not known", fd, domain)
}
