package load

import (
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// refusedPause is between two attempts to connect.
const refusedPause = 10 * time.Millisecond

// connection sends requests and reads their replies: one at a time, or up to depth of
// them on the way. It is its loop's. What it does allocates nothing but for errors
// and new connections.
type connection struct {
	loop     *loop
	number   int // in the loop: what epoll calls it by
	state    state
	until    time.Duration // it is paused
	fd       int           // -1: to be dialled
	fresh    bool          // nothing was sent in it yet: it may still be refused
	rest     []byte
	sent     int // of rest
	replies  replies
	onTheWay ring
	choice
}

// choice says what is asked for next.
type choice struct {
	keys  keys
	mixer mixer
}

// state says which of its loop's queues a connection is in.
type state uint8

const (
	busy    state = iota // in none: something is on the way in it
	resting              // until something is due
	paused               // until it may dial again
)

var (
	errEarlyClose = errors.New("the server closed the connection before it had answered all")
	errTooMany    = errors.New("the server sent more than it was asked for")
)

// watched are the events that epoll tells of once each: a reading that finds less
// than it has room for needs no second one.
const watched = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET

// start sends what is due, and says whether something is on the way then; else it is
// paused, or there is nothing due. A request that fails is counted, and never sent
// again.
func (c *connection) start() bool {
	for c.fill() {
		err := c.put()
		if err == nil {
			return true
		}
		if c.fail(err) {
			return false
		}
	}
	return c.onTheWay.count > 0
}

// fill takes new requests for the room that there is, and says whether it found any.
func (c *connection) fill() bool {
	l := c.loop
	l.out = l.out[:0]
	for c.sent == len(c.rest) && !c.onTheWay.full() {
		due, ok := l.source.next(l.now)
		if !ok {
			break
		}
		r := request{due: due, key: c.keys.next(), kind: c.mixer.next()}
		c.onTheWay.push(r)
		l.out = l.run.calls[r.kind].write(l.out, r.key)
	}
	return len(l.out) > 0
}

// put sends what fill has made, and keeps the rest of it for when there is room.
func (c *connection) put() error {
	if c.fd < 0 {
		if err := c.connect(); err != nil {
			return err
		}
	}
	n, err := send(c.fd, c.loop.out)
	if err == unix.EAGAIN {
		n, err = 0, nil
	}
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if n > 0 {
		c.fresh = false
	}
	if n == len(c.loop.out) {
		return nil
	}
	c.rest, c.sent = append(c.rest[:0], c.loop.out[n:]...), 0
	return c.watch(unix.EPOLL_CTL_MOD, watched|unix.EPOLLOUT)
}

// flush sends more of the rest.
func (c *connection) flush() error {
	for c.sent < len(c.rest) {
		n, err := send(c.fd, c.rest[c.sent:])
		if err == unix.EAGAIN {
			return nil
		}
		if err != nil {
			return fmt.Errorf("send: %w", err)
		}
		c.sent, c.fresh = c.sent+n, false
	}
	return c.watch(unix.EPOLL_CTL_MOD, watched)
}

// ready is called when epoll has told of the connection.
func (c *connection) ready(events uint32) {
	l := c.loop
	var err error
	if c.sent < len(c.rest) {
		err = c.flush()
		l.now = l.run.elapsed()
	}
	if err == nil {
		const ended = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
		err = c.receive(events&ended != 0)
	}
	if err != nil && c.fail(err) {
		return
	}
	if c.state == busy && !c.start() && c.state == busy {
		l.rest(c)
	}
}

// receive reads all that has come. ended says that the end of it has come, too.
func (c *connection) receive(ended bool) error {
	l := c.loop
	for c.fd >= 0 {
		before := copy(l.in, c.replies.kept)
		n, err := receive(c.fd, l.in[before:])
		l.now = l.run.elapsed()
		switch {
		case err == unix.EAGAIN:
			return nil
		case n <= 0 && c.onTheWay.count == 0:
			c.hangUp() // the server has had enough of it, and owes no answer
			return nil
		case err != nil:
			return fmt.Errorf("receive: %w", err)
		case n == 0:
			return io.ErrUnexpectedEOF
		}
		c.replies.text = l.in[:before+n]
		if err := c.settle(); err != nil {
			return err
		}
		c.replies.keep()
		if before+n < len(l.in) && !ended {
			return nil
		}
	}
	return nil
}

// settle counts the requests whose replies have come.
func (c *connection) settle() error {
	l := c.loop
	for c.replies.waiting() {
		if c.onTheWay.count == 0 {
			return errTooMany
		}
		answer, whole, err := c.replies.next(&l.memos[c.onTheWay.next().kind])
		if err != nil {
			return err
		}
		if !whole {
			return nil
		}
		l.settle(c.onTheWay.pop(), answer)
		if answer.close || !l.run.settings.Load.KeepAlive {
			c.hangUp()
			if c.onTheWay.count > 0 {
				return errEarlyClose
			}
			return nil
		}
	}
	return nil
}

// fail gives up the connection and all that is on the way in it, and says whether it
// pauses now: it would spin while the server refuses it.
func (c *connection) fail(err error) (refused bool) {
	l := c.loop
	if c.onTheWay.count == 0 {
		l.fail(request{due: l.now}, err)
	}
	for c.onTheWay.count > 0 {
		l.fail(c.onTheWay.pop(), err)
	}
	c.hangUp()
	if !c.fresh || c.state != busy {
		return false
	}
	c.state, c.until = paused, l.now+refusedPause
	l.paused.push(c)
	return true
}

// connect begins to connect. Whether the server takes it shows when something is sent.
func (c *connection) connect() error {
	c.fresh = true
	fd, err := c.loop.server.dial()
	if err != nil {
		return err
	}
	c.fd = fd
	c.replies.reset()
	return c.watch(unix.EPOLL_CTL_ADD, watched)
}

func (c *connection) watch(how int, events uint32) error {
	if err := unix.EpollCtl(c.loop.epoll, how, c.fd, &unix.EpollEvent{Events: events, Fd: int32(c.number)}); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

func (c *connection) hangUp() {
	if c.fd >= 0 {
		unix.Close(c.fd) // which takes it out of epoll, too
		c.fd = -1
	}
	c.sent, c.rest = 0, c.rest[:0]
}

// request is one on the way.
type request struct {
	due  time.Duration // since the start
	key  int
	kind kind
}

// ring is a queue of requests as long as a pipeline is deep: replies come in the
// order of the requests.
type ring struct {
	places       []request
	first, count int
}

func (r *ring) full() bool    { return r.count == len(r.places) }
func (r *ring) next() request { return r.places[r.first] }

func (r *ring) push(one request) {
	r.places[(r.first+r.count)%len(r.places)] = one
	r.count++
}

func (r *ring) pop() request {
	one := r.places[r.first]
	r.first = (r.first + 1) % len(r.places)
	r.count--
	return one
}
