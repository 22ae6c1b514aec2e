package load

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// inSize holds the replies of a pipelined batch, and a long body in few pieces.
	inSize = 64<<10 + longestLine
	// mostEvents are handled before the clock and the sources are asked again.
	mostEvents = 128
	// longestWait is how late a loop may learn that its time is over.
	longestWait = 100 * time.Millisecond
	// yieldEach is half of what a goroutine may run before the runtime's watcher takes
	// its processor away in every system call: it then looks 50,000 times a second, for
	// a tenth of the generator's CPU.
	yieldEach = 5 * time.Millisecond
)

// loop is a thread of the generator with its share of the connections. Nothing of it
// is another's while it runs.
type loop struct {
	run     *run
	server  server
	source  source
	epoll   int
	events  []unix.EpollEvent
	poll    [1]unix.PollFd // of epoll itself
	all     []connection
	resting queue
	paused  queue // in the order in which their pauses end
	// now is the time since the start as it was last read: after a socket was read, or
	// before work was handed out.
	now     time.Duration
	yielded time.Duration
	in      []byte // of whichever connection is being read
	out     []byte // what it is about to send
	memos   [kinds]memo

	latencies latencies
	requests  int64 // answered in the measured time
	errors    int64 // in the measured time
	failed    int64 // at all
	first     error // of those
	// Acknowledged increments of key that the run does not know of yet: whoever adds to
	// one key does not share its count with the other loops.
	key, times int64
}

func newLoop(r *run, connections int) (*loop, error) {
	to, err := newServer(r.settings.Load.Network, r.settings.Address, !r.settings.Load.KeepAlive)
	if err != nil {
		return nil, err
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return &loop{
		run:       r,
		server:    to,
		epoll:     epoll,
		poll:      [1]unix.PollFd{{Fd: int32(epoll), Events: unix.POLLIN}},
		events:    make([]unix.EpollEvent, min(connections, mostEvents)),
		all:       make([]connection, connections),
		resting:   queue{places: make([]*connection, connections)},
		paused:    queue{places: make([]*connection, connections)},
		in:        make([]byte, inSize),
		out:       make([]byte, 0, r.settings.Load.Pipeline*r.calls.size()),
		latencies: newLatencies(),
	}, nil
}

func (l *loop) close() {
	for i := range l.all {
		l.all[i].hangUp()
	}
	unix.Close(l.epoll)
}

// work runs until all that its source has is answered or has failed. The sleeps of an
// open loop end within microseconds: with a thread's usual slack they would be some
// 50 us longer.
func (l *loop) work() {
	if l.run.settings.Load.Rate > 0 {
		runtime.LockOSThread() // until its end: the thread is changed
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	}
	l.resting.count, l.paused.count, l.yielded = 0, 0, 0
	for i := range l.all {
		l.rest(&l.all[i])
	}
	for l.turn() {
	}
	l.tell()
}

// turn hands out what is due, waits until something happens and sees to it; false at
// the end.
func (l *loop) turn() bool {
	l.now = l.run.elapsed()
	if l.now-l.yielded > yieldEach {
		l.yielded = l.now
		runtime.Gosched()
	}
	if l.now >= time.Duration(l.run.deadline.Load()) {
		l.giveUp()
		return false
	}
	for l.paused.count > 0 && l.paused.first().until <= l.now {
		l.rest(l.paused.pop())
	}
	l.hand()
	at, more := l.source.wake(l.now)
	if !more && l.resting.count+l.paused.count == len(l.all) {
		return false
	}
	until := l.now + longestWait
	if more && l.resting.count > 0 {
		until = min(until, at)
	}
	if l.paused.count > 0 {
		until = min(until, l.paused.first().until)
	}
	for _, e := range l.events[:l.wait(until)] {
		l.all[e.Fd].ready(e.Events)
	}
	return true
}

// hand starts resting connections as long as something is due.
func (l *loop) hand() {
	for l.resting.count > 0 {
		c := l.resting.pop()
		c.state = busy
		if !c.start() && c.state == busy {
			l.rest(c)
			return
		}
	}
}

// rest has a connection wait until something is due.
func (l *loop) rest(c *connection) {
	c.state = resting
	l.resting.push(c)
}

// wait returns how many events there are, at the latest when the time has come.
func (l *loop) wait(until time.Duration) int {
	for {
		rest := longestWait
		if until < l.now+longestWait {
			// epoll knows milliseconds only. An error is a signal, after which there may be
			// no event.
			t := unix.NsecToTimespec(max(0, until-l.run.elapsed()).Nanoseconds())
			_, _ = unix.Ppoll(l.poll[:], &t, nil)
			rest = 0
		}
		n, err := unix.EpollWait(l.epoll, l.events, int(rest.Milliseconds()))
		if err == nil {
			return n
		}
		if err != unix.EINTR {
			panic(fmt.Sprintf("epoll_wait: %v", err)) // its descriptor and memory are the loop's own
		}
	}
}

// giveUp counts what is still on the way, and what was due and never sent.
func (l *loop) giveUp() {
	for i := range l.all {
		c := &l.all[i]
		for c.onTheWay.count > 0 {
			l.fail(c.onTheWay.pop(), os.ErrDeadlineExceeded)
		}
		c.hangUp()
	}
	if _, endless := l.source.(closedLoop); endless {
		return
	}
	for {
		due, ok := l.source.next(math.MaxInt64)
		if !ok {
			return
		}
		l.fail(request{due: due}, os.ErrDeadlineExceeded)
	}
}

// settle counts one answered request.
func (l *loop) settle(r request, answer reply) {
	if !answer.good() {
		if l.first == nil {
			l.first = fmt.Errorf("status %d", answer.status)
		}
		l.fail(r, l.first)
		return
	}
	if r.kind == increment {
		if int64(r.key) != l.key {
			l.tell()
			l.key = int64(r.key)
		}
		l.times++
	}
	if l.run.phase.Load() == measuring {
		l.requests++
	}
	if l.run.measures(r.due) {
		l.latencies.record(l.now - r.due)
	}
}

// tell adds what was acknowledged to the run's counts.
func (l *loop) tell() {
	l.run.acknowledged[l.key].Add(l.times)
	l.times = 0
}

// fail counts one failed request.
func (l *loop) fail(r request, err error) {
	l.failed++
	if l.run.measures(r.due) {
		l.errors++
	}
	if l.first == nil {
		l.first = err
	}
}

// queue has each of a loop's connections at most once.
type queue struct {
	places    []*connection
	at, count int
}

func (q *queue) first() *connection { return q.places[q.at] }

func (q *queue) push(c *connection) {
	q.places[(q.at+q.count)%len(q.places)] = c
	q.count++
}

func (q *queue) pop() *connection {
	c := q.places[q.at]
	q.at = (q.at + 1) % len(q.places)
	q.count--
	return c
}
