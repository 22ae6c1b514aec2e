package loop

import "time"

// tick counts tenths of a second since the loop began.
type tick uint32

// Tick is the grain of the limits, and how often Config.Tick is called.
const Tick = 100 * time.Millisecond

// wheelSlots is more than the longest limit has ticks, so that a slot has
// connections of one time alone.
const wheelSlots = 1024

// wheel has each connection in the slot of a tick at which it is to be looked at.
type wheel struct {
	slots [wheelSlots]*Conn
	now   tick // all slots before it have been looked at
}

func ticks(d time.Duration) tick { return tick((d + Tick - 1) / Tick) }

// set gives a connection a deadline. Where that is later than the one that it had,
// this is one store.
func (w *wheel) set(c *Conn, deadline tick) {
	c.deadline = deadline
	if c.slot == 0 || deadline < c.slot {
		w.remove(c)
		w.insert(c)
	}
}

// insert puts a connection where its deadline says, or into the next slot that will be
// looked at.
func (w *wheel) insert(c *Conn) {
	c.slot = max(c.deadline, w.now+1)
	c.slot = min(c.slot, w.now+wheelSlots-1)
	first := &w.slots[c.slot%wheelSlots]
	c.prev, c.next = nil, *first
	if c.next != nil {
		c.next.prev = c
	}
	*first = c
}

func (w *wheel) remove(c *Conn) {
	if c.slot == 0 {
		return
	}
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		w.slots[c.slot%wheelSlots] = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next, c.slot = nil, nil, 0
}

// expireMost is how many connections expire before others have their turn.
const expireMost = 256

// advance goes on to a tick, and calls expire for each connection whose deadline is
// over. The connection is in the wheel no longer then. When there are many it stops on
// the way, and reports that it has not come to the end.
func (w *wheel) advance(to tick, expire func(*Conn)) bool {
	left := expireMost
	if to-w.now > wheelSlots { // nobody looked for longer than all limits
		w.now = to - wheelSlots
	}
	for w.now != to {
		w.now++
		for {
			c := w.slots[w.now%wheelSlots]
			if c == nil {
				break
			}
			if c.deadline > w.now {
				w.remove(c)
				w.insert(c)
				continue
			}
			if left--; left < 0 {
				w.now-- // and this slot again
				return false
			}
			w.remove(c)
			expire(c)
		}
	}
	return true
}
