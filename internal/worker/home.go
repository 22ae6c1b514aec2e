package worker

import (
	"net"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/loop"
)

// home is where a connection came from that was handed over, and when it goes back. It
// is its goroutine's.
type home struct {
	lane   *lane // nil: it does not go back
	door   int
	tag    uint32
	streak int // requests in a row that were for the lane's routes
}

// The tag of a connection has the scanner's hint, how often its request was tried in
// vain, and how often it was handed over. A lock that is held is free again before the
// last try, or its holder has been interrupted; then it is for somebody who can wait.
const (
	hintMask  = 0x00ff
	try       = 0x0100
	triesMask = 0x0f00
	visit     = 0x1000
)

// patience is how many requests in a row have to be for the lane's routes before a
// connection goes back to it, by the connection's tag: 16 at the first visit, and twice
// as many at each that follows, up to 4096. A way there and back is a goroutine and some
// ten system calls, and little is to be spent on connections that do not stay.
func patience(tag uint32) int { return 8 << min(tag/visit, 9) }

// asked notes whether the request that was answered was one for the lane.
func (h *home) asked(forLane bool) {
	h.streak++
	if !forLane {
		h.streak = 0
	}
}

// goHome gives a connection back to the lane between two requests. It reports whether
// it did. A worker that drains does not, nor one without descriptors; then the
// connection stays for good.
func (c *conn) goHome() bool {
	l := c.home.lane
	if l == nil || c.home.streak < patience(c.home.tag) {
		return false
	}
	if !l.takeBack(c) {
		c.home.lane = nil
		return false
	}
	return true
}

// takeBack takes a connection back from fasthttp, which has nothing of its next request.
func (l *lane) takeBack(c *conn) bool {
	// As with an adoption: a drain either comes first, or finds the connection in the
	// loop.
	l.server.moving.Lock()
	defer l.server.moving.Unlock()
	if l.server.draining.Load() {
		return false
	}
	fd := -1
	control := c.Conn.Control(func(old uintptr) {
		fd, _ = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) // -1: no
	})
	if control != nil || fd < 0 {
		return false
	}
	h := loop.Handed{FD: fd, Door: c.home.door, Accepted: c.accepted, Tag: c.home.tag}
	if addr, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		h.Peer = addr.AddrPort()
	}
	posted := l.loop.Post(func() {
		if err := l.loop.Return(h); err != nil {
			l.lost(err)
		}
	})
	if !posted {
		_ = unix.Close(fd)
		return false
	}
	c.moved()
	return true
}
