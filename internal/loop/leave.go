package loop

import (
	"time"
)

// Do has f called by the loop, between the turns of connections, and returns when it
// was. After the end of Run it returns false and f is not called. It is for other
// goroutines alone, and f must not wait.
func (l *Loop) Do(f func()) bool {
	called := make(chan struct{})
	if !l.calls.post(func() { f(); close(called) }) {
		return false
	}
	<-called
	return true
}

// The following end a loop step by step. They are called by the loop (Do).

// Leave makes every connection that ends from now on wait for its client's end:
// clients do not know yet that they are to send no more.
func (l *Loop) Leave() { l.leaving = true }

// Each calls f with the descriptor of every connection.
func (l *Loop) Each(f func(fd int)) {
	for _, c := range l.conns {
		if c != nil && c.phase != closed {
			f(int(c.fd))
		}
	}
}

// EndDoors accepts no more. The sockets stay open.
func (l *Loop) EndDoors() {
	for _, d := range l.doors {
		l.end(d)
	}
}

// leaveMost is how many connections are ended before others have their turn.
const leaveMost = 256

// LeaveQuiet closes connections that are between requests, unless they were accepted
// less than grace ago or a request has arrived. It ends some at a time, and is called
// again for the others.
func (l *Loop) LeaveQuiet(grace time.Duration) {
	now, left := time.Since(l.start), leaveMost
	for _, c := range l.conns {
		if c == nil || c.phase != fresh && c.phase != idle || now-c.accepted < grace {
			continue
		}
		if left--; left < 0 {
			return
		}
		generation, turns := c.generation, l.turns
		l.take(c)
		if c.generation == generation && l.turns == turns && (c.phase == fresh || c.phase == idle) {
			l.close(c)
		}
	}
}

// Hurry hands over connections whose request has not arrived whole, as late.
func (l *Loop) Hurry() {
	for _, c := range l.conns {
		if c != nil && c.phase == partial {
			l.handOver(c, c.rest, true)
		}
	}
}

// CloseAll closes every connection at once, and returns how many of them had not had
// their last reply.
func (l *Loop) CloseAll() (cut int) {
	for _, c := range l.conns {
		if c == nil || c.phase == closed {
			continue
		}
		if c.phase != closing {
			cut++
		}
		l.close(c)
	}
	return cut
}

// Stop ends Run. Connections that are open stay so.
func (l *Loop) Stop() {
	l.Do(func() { l.stopped = true })
	<-l.done
}
