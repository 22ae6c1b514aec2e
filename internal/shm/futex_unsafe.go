package shm

import (
	"math"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Futexes here are shared ones (no FUTEX_PRIVATE_FLAG): the word is the same
// page in every process, at different addresses.

const (
	futexWaitOp = 0
	futexWakeOp = 1

	wakeAll = math.MaxInt32
)

// futexWait sleeps while *w is v, until woken, a signal, or limit. All three
// look the same to the caller, who looks at the word again.
func futexWait(w *atomic.Uint32, v uint32, limit time.Duration) {
	ts := unix.NsecToTimespec(int64(limit))
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), futexWaitOp, uintptr(v),
		uintptr(unsafe.Pointer(&ts)), 0, 0)
}

// futexWake wakes up to n sleepers on w.
func futexWake(w *atomic.Uint32, n int) {
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), futexWakeOp, uintptr(n), 0, 0, 0)
}
