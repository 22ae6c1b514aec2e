package loop

import (
	"encoding/binary"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// calls are functions that wait to be called by the loop, and what wakes it for them.
type calls struct {
	mu      sync.Mutex
	waiting []func()
	ended   bool
	event   int // an eventfd
}

func (q *calls) open(epoll int) (err error) {
	if q.event, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: wakeMark}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, q.event, &e); err != nil {
		_ = unix.Close(q.event)
		return os.NewSyscallError("epoll_ctl", err)
	}
	return nil
}

// post has f called soon, and reports whether it will be.
func (q *calls) post(f func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return false
	}
	q.waiting = append(q.waiting, f)
	if len(q.waiting) == 1 {
		var one [8]byte
		binary.NativeEndian.PutUint64(one[:], 1)
		_, _ = unix.Write(q.event, one[:]) // it cannot be full: clear comes before run
	}
	return true
}

// clear takes the event away.
func (q *calls) clear() {
	var n [8]byte
	_, _ = unix.Read(q.event, n[:])
}

// run calls what waits.
func (q *calls) run() {
	q.mu.Lock()
	waiting := q.waiting
	q.waiting = nil
	q.mu.Unlock()
	for _, f := range waiting {
		f()
	}
}

// close calls what waits still, and nothing after it.
func (q *calls) close() {
	q.mu.Lock()
	q.ended = true
	q.mu.Unlock()
	q.run()
	_ = unix.Close(q.event)
}
