package worker

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// maxRights is how many descriptors the kernel lets one message have.
const maxRights = 253

// watch reads the lifeline until its end, at which the channel is closed. Each
// message carries sockets, which are the callee's to close.
func watch(fd int, adopt func(socket int)) (<-chan struct{}, error) {
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
	gone := make(chan struct{})
	go func() { // until the master is gone, or the process ends
		defer close(gone)
		data, rights := make([]byte, 1), make([]byte, unix.CmsgSpace(4*maxRights))
		for {
			n, size, _, _, err := line.ReadMsgUnix(data, rights)
			if err != nil || n == 0 {
				return
			}
			for _, socket := range socketsIn(rights[:size]) {
				adopt(socket)
			}
		}
	}()
	return gone, nil
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
