package load

import (
	"errors"
	"fmt"
	"net"
	"time"
)

// refusedPause keeps connections from spinning while the server refuses them.
const refusedPause = 10 * time.Millisecond

// connection sends requests and reads their replies: one at a time, or up to
// depth of them on the way. It is one goroutine's. Its loop allocates nothing
// but for errors and new connections.
type connection struct {
	run       *run
	conn      net.Conn // nil: to be dialled
	replies   replies
	out       []byte
	onTheWay  ring
	keys      keys
	mixer     mixer
	source    source
	deadline  time.Time // of whatever it waits for
	latencies latencies
	requests  int64 // answered in the measured time
	errors    int64 // in the measured time
	failed    int64 // at all
	first     error // of those
}

var (
	errEarlyClose = errors.New("the server closed the connection before it had answered all")
	errTooMany    = errors.New("the server sent more than it was asked for")
)

func (c *connection) loop() {
	for c.step() {
	}
}

// step sends what is due and reads at least one reply; false when nothing more
// comes. A request that fails is counted, and never sent again.
func (c *connection) step() bool {
	if !c.fill() {
		return false
	}
	if err := c.exchange(); err != nil {
		c.fail(err)
	}
	return true
}

// fill takes new requests for the room that there is.
func (c *connection) fill() bool {
	c.out = c.out[:0]
	for !c.onTheWay.full() {
		due, ok := c.source.next(c.onTheWay.count == 0)
		if !ok {
			break
		}
		r := request{due: due, key: c.keys.next(), kind: c.mixer.next()}
		c.onTheWay.push(r)
		c.out = c.run.calls[r.kind].write(c.out, r.key)
	}
	return c.onTheWay.count > 0
}

func (c *connection) exchange() error {
	if err := c.connect(); err != nil {
		return err
	}
	if len(c.out) > 0 {
		if _, err := c.conn.Write(c.out); err != nil {
			return err
		}
	}
	for {
		answer, err := c.replies.next()
		if err != nil {
			return err
		}
		c.settle(c.onTheWay.pop(), answer)
		if answer.close || !c.run.settings.Load.KeepAlive {
			c.hangUp()
			if c.onTheWay.count > 0 {
				return errEarlyClose
			}
			return nil
		}
		switch more := c.replies.waiting(); {
		case !more:
			return nil
		case c.onTheWay.count == 0:
			return errTooMany
		}
	}
}

// settle counts one answered request.
func (c *connection) settle(r request, answer reply) {
	now := c.run.elapsed()
	if !answer.good() {
		if c.first == nil {
			c.first = fmt.Errorf("status %d", answer.status)
		}
		c.count(r, c.first)
		return
	}
	if r.kind == increment {
		c.run.acknowledged[r.key].Add(1)
	}
	if c.run.phase.Load() == measuring {
		c.requests++
	}
	if c.run.measures(r.due) {
		c.latencies.record(now - r.due)
	}
}

// count counts one failed request.
func (c *connection) count(r request, err error) {
	c.failed++
	if c.run.measures(r.due) {
		c.errors++
	}
	if c.first == nil {
		c.first = err
	}
}

// fail gives up the connection and all that is on the way in it.
func (c *connection) fail(err error) {
	if c.onTheWay.count == 0 {
		c.count(request{due: c.run.elapsed()}, err)
	}
	for c.onTheWay.count > 0 {
		c.count(c.onTheWay.pop(), err)
	}
	refused := c.conn == nil
	c.hangUp()
	if refused && time.Now().Before(c.deadline) {
		time.Sleep(refusedPause)
	}
}

func (c *connection) connect() error {
	if c.conn != nil {
		return nil
	}
	l := c.run.settings.Load
	dialer := net.Dialer{Deadline: c.deadline, KeepAlive: -1}
	conn, err := dialer.Dial(l.Network, c.run.settings.Address)
	if err != nil {
		return err
	}
	if err := conn.SetDeadline(c.deadline); err != nil {
		conn.Close()
		return err
	}
	if tcp, ok := conn.(*net.TCPConn); ok && !l.KeepAlive {
		// Nothing of it waits in TIME_WAIT, where ports run out at 28,000.
		if err := tcp.SetLinger(0); err != nil {
			conn.Close()
			return err
		}
	}
	c.conn = conn
	c.replies.reset(conn)
	return nil
}

func (c *connection) hangUp() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// until moves the deadline.
func (c *connection) until(deadline time.Time) error {
	c.deadline = deadline
	if c.conn == nil {
		return nil
	}
	return c.conn.SetDeadline(deadline)
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

func (r *ring) full() bool { return r.count == len(r.places) }

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
