package socket

import (
	"syscall"
	"unsafe"
)

// receive and send move up to most bytes. They do not wait for the other side, and
// raise no signal where it is gone. RawSyscall6 keeps p where it is until it returns
// (package unsafe, pattern 4).

func receive(fd uintptr, p []byte) (int, syscall.Errno) {
	return quiet(syscall.SYS_RECVFROM, fd, p, syscall.MSG_DONTWAIT)
}

func send(fd uintptr, p []byte) (int, syscall.Errno) {
	return quiet(syscall.SYS_SENDTO, fd, p, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
}

func quiet(call, fd uintptr, p []byte, flags uintptr) (int, syscall.Errno) {
	p = p[:min(len(p), most)]
	for {
		n, _, errno := syscall.RawSyscall6(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags, 0, 0)
		switch errno {
		case 0:
			return int(n), 0
		case syscall.EINTR: // of a call that does not wait it is not expected, but allowed
			continue
		}
		return 0, errno
	}
}
