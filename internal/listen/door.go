package listen

import (
	"errors"
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
		err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
			&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
		if errors.Is(err, unix.EPERM) {
			return requireHops(fd, domain, maxHops)
		}
		return os.NewSyscallError("setsockopt", err)
	}
	return fmt.Errorf("close the door of descriptor %d: socket domain %d is not known", fd, domain)
}

// maxHops is what no packet has left that took a hop, or came from a system
// whose packets start with less, as Linux's do with 64.
const maxHops = 255

// requireHops makes the socket drop packets with fewer hops left than least:
// the door where a filter on a TCP socket is a privilege (Linux 6.18 refuses it
// without CAP_NET_ADMIN). The kernel looks at it after it has found the
// handshake that a segment belongs to, so those under way are completed.
func requireHops(fd, domain, least int) error {
	// An IPv6 socket may take IPv4 connections, too.
	err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MINTTL, least)
	if domain == unix.AF_INET6 {
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MINHOPCOUNT, least))
	}
	return os.NewSyscallError("setsockopt", err)
}

// Admit undoes for a connection what it may have inherited from a listener
// whose door was closed during its handshake: its packets would be dropped.
func Admit(fd int) error {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || domain == unix.AF_UNIX {
		return os.NewSyscallError("getsockopt", err)
	}
	return requireHops(fd, domain, 0)
}
