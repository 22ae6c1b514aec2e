package worker

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/handoff"
)

// maxRights is how many descriptors the kernel lets one message have.
const maxRights = 253

// lifeline is what the master says.
type lifeline struct {
	serve chan struct{} // closed when a worker that waits may serve
	leave atomic.Bool   // a drain leaves the queues to others
	gone  chan struct{} // closed when the master is gone
}

// watch reads the lifeline until its end. Sockets that come with a message are the
// callee's to close.
func watch(fd int, adopt func(socket int)) (*lifeline, error) {
	f := os.NewFile(uintptr(fd), "lifeline")
	if f == nil {
		return nil, fmt.Errorf("lifeline: descriptor %d is not valid", fd)
	}
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("lifeline: %w", err)
	}
	line, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, fmt.Errorf("lifeline: it is %s, not a Unix socket", conn.LocalAddr().Network())
	}
	l := &lifeline{serve: make(chan struct{}), gone: make(chan struct{})}
	go func() { // until the master is gone, or the process ends
		defer close(l.gone)
		data, rights := make([]byte, 1), make([]byte, unix.CmsgSpace(4*maxRights))
		for {
			n, size, _, _, err := line.ReadMsgUnix(data, rights)
			if err != nil || n == 0 {
				return
			}
			switch data[0] {
			case handoff.LifelineServe:
				close(l.serve) // it is said once
			case handoff.LifelineLeaveQueues:
				l.leave.Store(true)
			}
			for _, socket := range socketsIn(rights[:size]) {
				adopt(socket)
			}
		}
	}()
	return l, nil
}

// socketsIn are the descriptors that came with a message.
func socketsIn(rights []byte) (sockets []int) {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err == nil {
			sockets = append(sockets, fds...)
		}
	}
	return sockets
}
