package loop

import (
	"bytes"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/socket"
)

// Sizes in bytes. A client that does not take its replies makes the loop keep one
// input, one output and one reply.
const (
	inputSize = 16 << 10 // of one read
	// outputSize is how much is answered before it is sent. One reply may exceed it.
	outputSize = 16 << 10
	// outputKept bounds the buffer for replies that the loop keeps.
	outputKept = 4 * outputSize
)

// The events of a connection, each told once when it comes to be (edge-triggered). So
// a turn either reads until there is nothing left, which a short read tells, or
// queues another turn. While replies wait nothing is read; that they can be sent ends
// with a turn. A read is short, too, before the end of the stream and before urgent
// data, whose mark no read passes.
const connEvents = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLPRI | unix.EPOLLRDHUP | unix.EPOLLET

// ready follows an event.
func (l *Loop) ready(c *Conn, events uint32) {
	if events&(unix.EPOLLPRI|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		c.broken = true
	}
	if len(c.out) == 0 || events&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		l.take(c)
	}
}

// take is a connection's turn: it sends what waits, reads once, has the protocol
// answer what has arrived, and sends the replies.
func (l *Loop) take(c *Conn) {
	if c.phase == closing {
		l.discard(c)
		return
	}
	// Whether more may have arrived than this turn reads.
	more := c.unread || c.broken || len(c.out) > 0
	if len(c.out) > 0 && !l.flush(c) {
		return
	}
	in := l.input[:copy(l.input, c.rest)]
	if c.unread {
		c.unread = false // and it is looked at before more is read
	} else {
		n, errno := socket.Receive(int(c.fd), l.input[len(in):])
		switch {
		case errno == unix.EAGAIN:
			return
		case errno != 0:
			l.close(c)
			return
		case n == 0:
			l.ended(c, in)
			return
		}
		l.config.Meters.CountReceived(n)
		in = l.input[:len(in)+n]
		more = more || len(in) == len(l.input)
	}
	l.answer(c, in, more)
}

// answer has the protocol answer the input, and sends what it says. more: the
// connection has another turn after this.
func (l *Loop) answer(c *Conn, in []byte, more bool) {
	l.turns++
	p := l.doors[c.door].protocol
	out, next := l.output[:0], Again
	begins := c.phase != partial // with the input, or within it
	for next == Again && len(in) > 0 && len(out) < outputSize {
		var used int
		used, out, next = p.Step(c, in, out)
		in = in[used:]
		begins = begins || used > 0
	}
	if begins {
		c.began = l.now
	}
	if cap(out) <= outputKept {
		l.output = out[:0]
	}
	if len(out) > 0 && !l.send(c, in, out, next == Close) {
		return
	}
	switch {
	case next == Close:
		l.finish(c, len(in) > 0 || more)
	case next == HandOver, next == More && len(in) == inputSize:
		l.handOver(c, in, false)
	case next == Later, next == Again && len(in) > 0: // the output has its size
		c.keep(in)
		c.unread = true
		l.settle(c, idle, l.limits.idle)
		l.queue(c)
	case len(in) > 0:
		c.keep(in)
		if begins {
			l.settle(c, partial, l.limits.read)
		}
	default:
		c.rest = nil
		l.settle(c, idle, l.limits.idle)
	}
	if more && (next == More || next == Again) {
		l.queue(c)
	}
}

// settle gives a connection a phase, and its limit from now on.
func (l *Loop) settle(c *Conn, p phase, limit tick) {
	c.phase = p
	l.wheel.set(c, l.ticks()+limit+1) // the tick that has begun does not count
}

// send sends replies. What the socket does not take now waits, and so does the input.
// It reports whether all were sent.
func (l *Loop) send(c *Conn, in, out []byte, last bool) bool {
	n, errno := socket.Send(int(c.fd), out)
	l.config.Meters.CountSent(n)
	if n == len(out) {
		return true
	}
	if errno != 0 && errno != unix.EAGAIN {
		l.close(c)
		return false
	}
	c.out = bytes.Clone(out[n:])
	c.keep(in)
	c.unread = len(in) > 0
	c.last = last
	l.settle(c, replying, l.limits.write)
	if errno == 0 { // the call took its fill, and there may be room
		l.queue(c)
	}
	return false
}

// flush sends replies that wait, and reports whether there are none left.
func (l *Loop) flush(c *Conn) bool {
	n, errno := socket.Send(int(c.fd), c.out)
	l.config.Meters.CountSent(n)
	c.out = c.out[n:]
	switch {
	case errno != 0 && errno != unix.EAGAIN:
		l.close(c)
		return false
	case errno != 0:
		return false
	case len(c.out) > 0:
		l.queue(c)
		return false
	}
	c.out = nil
	if c.last {
		l.finish(c, true) // more may have come meanwhile
		return false
	}
	l.settle(c, idle, l.limits.idle)
	return true
}

// ended follows the end of the client's stream. A request that has begun is for
// somebody who can say what is wrong with it.
func (l *Loop) ended(c *Conn, in []byte) {
	if len(in) > 0 {
		l.handOver(c, in, false)
		return
	}
	l.close(c)
}

// finish ends a connection after its last reply. unread: the client has sent more.
func (l *Loop) finish(c *Conn, unread bool) {
	if !unread && !l.leaving {
		l.close(c)
		return
	}
	if unix.Shutdown(int(c.fd), unix.SHUT_WR) != nil {
		l.close(c)
		return
	}
	c.rest, c.out = nil, nil
	c.budget = l.config.Limits.LingerBytes
	l.settle(c, closing, l.limits.linger)
	l.discard(c)
}

// discard throws away what a client sends after its last reply.
func (l *Loop) discard(c *Conn) {
	n, errno := socket.Receive(int(c.fd), l.input)
	c.budget -= n
	switch {
	case errno == unix.EAGAIN:
	case errno != 0 || n == 0 || c.budget <= 0:
		l.close(c)
	default:
		l.config.Meters.CountReceived(n)
		l.queue(c)
	}
}

// expire looks at a connection whose time is over, and which the wheel has no longer.
func (l *Loop) expire(c *Conn) {
	generation := c.generation
	if c.phase != closing {
		l.take(c) // what has arrived is not late
	}
	switch {
	case c.generation != generation, c.slot != 0: // it is gone, or has a new deadline
	case c.phase == partial:
		l.handOver(c, c.rest, true)
	default:
		l.close(c)
	}
}

// handOver gives a connection to its protocol.
func (l *Loop) handOver(c *Conn, in []byte, late bool) {
	h := Handed{
		FD: int(c.fd), Door: int(c.door), Peer: c.peer, Input: bytes.Clone(in), Late: late, Tag: c.Tag,
		Accepted: l.start.Add(c.accepted), Began: l.start.Add(c.began),
	}
	p := l.doors[c.door].protocol
	_ = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, h.FD, nil)
	l.wheel.remove(c)
	c.shut()
	p.Take(h)
	l.open.Add(-1) // now, so that nobody finds it nowhere
}

func (l *Loop) close(c *Conn) {
	fd := int(c.fd)
	l.wheel.remove(c)
	c.shut()
	_ = unix.Close(fd)
	l.config.Meters.ConnClosed()
	l.open.Add(-1)
	l.Freed()
}
