package shm

import (
	"sync/atomic"
	"time"
)

// Outcome is what became of a request.
type Outcome uint8

// The outcomes, in the order of the classes of HTTP's status codes.
const (
	Done      Outcome = iota // 2xx
	Unchanged                // 3xx: there is nothing new for the client
	Refused                  // 4xx: the client is to mend it
	Failed                   // 5xx
	outcomes
)

// MaxKinds bounds the kinds of requests that are counted apart. What a kind is, is
// known to whoever counts.
const MaxKinds = 24

// CountAnswer counts an answer before it is sent: who has had an answer finds it
// counted, whatever becomes of this process. Only this process writes its slot's
// meters, and the next one of the slot goes on with them.
func (s *Store) CountAnswer(kind int, outcome Outcome, took time.Duration) {
	m := s.meters
	add(&m.answers[kind][outcome], 1)
	add(&m.latency[bucketOf(took)], 1)
	add(&m.latencySum, uint64(max(took, 0)))
}

// CountReceived counts bytes that came from clients.
func (s *Store) CountReceived(bytes int) { add(&s.meters.received, uint64(bytes)) }

// CountSent counts bytes that went to clients.
func (s *Store) CountSent(bytes int) { add(&s.meters.sent, uint64(bytes)) }

// CountLookup counts a read of a key that was there, or was not.
func (s *Store) CountLookup(hit bool) {
	if hit {
		add(&s.meters.hits, 1)
	} else {
		add(&s.meters.misses, 1)
	}
}

// CountFull counts a change that was refused for want of room.
func (s *Store) CountFull() { add(&s.meters.full, 1) }

// Answers are numbers of answers by their kind and outcome.
type Answers [MaxKinds][outcomes]uint64

// All is their sum.
func (a *Answers) All() (sum uint64) {
	for kind := range a {
		for _, n := range a[kind] {
			sum += n
		}
	}
	return sum
}

// Of is how many had an outcome.
func (a *Answers) Of(o Outcome) (sum uint64) {
	for kind := range a {
		sum += a[kind][o]
	}
	return sum
}

// Meters are what the processes of one slot have counted since the region was
// created, or of several slots together. They never fall.
type Meters struct {
	Answers    Answers
	Latency    [latencyBuckets]uint64 // by bucket; see LatencyBounds
	LatencySum uint64                 // ns
	Accepted   uint64                 // connections
	Received   uint64                 // bytes
	Sent       uint64                 // bytes
	Hits       uint64                 // reads of keys that were there
	Misses     uint64
	Full       uint64 // changes that were refused for want of room
}

// each calls f with every counter of m and the same one of o: what is added is added
// here, and in ReadMeters and words.
func (m *Meters) each(o *Meters, f func(mine *uint64, theirs uint64)) {
	for kind := range m.Answers {
		for outcome := range m.Answers[kind] {
			f(&m.Answers[kind][outcome], o.Answers[kind][outcome])
		}
	}
	for i := range m.Latency {
		f(&m.Latency[i], o.Latency[i])
	}
	f(&m.LatencySum, o.LatencySum)
	f(&m.Accepted, o.Accepted)
	f(&m.Received, o.Received)
	f(&m.Sent, o.Sent)
	f(&m.Hits, o.Hits)
	f(&m.Misses, o.Misses)
	f(&m.Full, o.Full)
}

// Add adds those of another slot.
func (m *Meters) Add(o *Meters) {
	m.each(o, func(mine *uint64, theirs uint64) { *mine += theirs })
}

// Since is what was counted after before, an earlier reading of the same. What is
// less than it was counts as nothing.
func (m *Meters) Since(before *Meters) Meters {
	d := *m
	d.each(before, func(now *uint64, then uint64) { *now -= min(*now, then) })
	return d
}

// Meters reads those of a worker's slot, free or not.
func (r *Region) Meters(slot int) (m Meters) {
	r.ReadMeters(slot, &m)
	return m
}

// ReadMeters is Meters into memory that is there. Each word is exact; together they
// may be of moments that lie a little apart.
func (r *Region) ReadMeters(slot int, m *Meters) {
	rec := r.meters(slot)
	for kind := range rec.answers {
		for outcome := range rec.answers[kind] {
			m.Answers[kind][outcome] = rec.answers[kind][outcome].Load()
		}
	}
	for i := range rec.latency {
		m.Latency[i] = rec.latency[i].Load()
	}
	m.LatencySum = rec.latencySum.Load()
	m.Accepted = rec.accepted.Load()
	m.Received, m.Sent = rec.received.Load(), rec.sent.Load()
	m.Hits, m.Misses, m.Full = rec.hits.Load(), rec.misses.Load(), rec.full.Load()
}

func (r *Region) meters(slot int) *meterRecord {
	return r.mem.meters(r.sb.meters + uint64(slot)*meterSize)
}

// answered is the sum of a slot's answers, and those of them that failed.
func (m *meterRecord) answered() (all, failed uint64) {
	for kind := range m.answers {
		for outcome := range m.answers[kind] {
			all += m.answers[kind][outcome].Load()
		}
		failed += m.answers[kind][Failed].Load()
	}
	return all, failed
}

// words are all counters of a slot.
func (m *meterRecord) words() (all []*atomic.Uint64) {
	for kind := range m.answers {
		for outcome := range m.answers[kind] {
			all = append(all, &m.answers[kind][outcome])
		}
	}
	for i := range m.latency {
		all = append(all, &m.latency[i])
	}
	return append(all, &m.latencySum, &m.accepted, &m.received, &m.sent, &m.hits, &m.misses, &m.full)
}
