package master

import "time"

// seat is a place for one worker: its listeners' sockets, and the workers that
// sit in it one after the other. While the worker is being replaced there are
// two, which accept from the same queues.
type seat struct {
	number int // index into the listeners' sockets
	slot   int // of its last worker in the region; -1 before the first claim

	worker *worker   // nil: vacant until due
	next   *worker   // its successor, which is booting; nil: none is wanted
	due    time.Time // of a vacant seat: the next start

	avoided bool // new connections are steered to the other seats
	served  bool // some worker of this seat was ready once
	waits   bool // vacant, for want of a slot that somebody is about to leave

	waitsSince time.Time // or since the log said so last

	lasts int // workers that were started since it is retired

	faults, kills history
	bootFailures  int // ends before the first worker of this seat was ready
}

// died counts the end of the seat's worker and returns the wait before the
// next start.
func (s *seat) died(c cause, now time.Time) time.Duration {
	switch c {
	case external:
		return s.kills.died(outside, now)
	case cannotBoot:
		// Known to be in vain; tried again only because the others still serve
		// and what kept it from booting may pass.
		s.faults.died(faults, now)
		return faults.ceiling
	}
	return s.faults.died(faults, now)
}

// empty takes a worker that has ended out of the seat. Its successor moves up.
func (s *seat) empty(w *worker) {
	switch w {
	case s.next:
		s.next = nil
	case s.worker:
		if s.worker, s.next = s.next, nil; s.worker != nil {
			s.slot = s.worker.id.Slot
		}
	}
}
