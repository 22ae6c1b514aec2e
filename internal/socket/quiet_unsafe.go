package socket

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Receive reads what has arrived at a non-blocking descriptor, up to 64 KiB: 0 bytes
// and no error at the end of the stream, EAGAIN where there is nothing.
func Receive(fd int, p []byte) (int, syscall.Errno) { return receive(uintptr(fd), p) }

// Send writes what a non-blocking descriptor takes, up to 64 KiB. EAGAIN says that it
// takes nothing.
func Send(fd int, p []byte) (int, syscall.Errno) { return send(uintptr(fd), p) }

// Wait waits for events of an epoll descriptor, for some milliseconds at the most, and
// keeps the processor from all other goroutines meanwhile. Below 0: a signal has ended
// the wait.
func Wait(epoll int, events []unix.EpollEvent, ms int) int {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epoll),
		uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), uintptr(ms), 0, 0)
	if errno != 0 {
		return -1
	}
	return int(n)
}

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
