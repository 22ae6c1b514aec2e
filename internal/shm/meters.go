package shm

import (
	"math/bits"
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

// LatencyBounds are the upper ends of the buckets that latencies are counted in; one
// more has what took longer.
var LatencyBounds = [latencyBuckets - 1]time.Duration{
	2 * time.Microsecond, 5 * time.Microsecond, 10 * time.Microsecond,
	20 * time.Microsecond, 50 * time.Microsecond, 100 * time.Microsecond,
	200 * time.Microsecond, 500 * time.Microsecond, time.Millisecond,
	2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond,
	20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	200 * time.Millisecond, 500 * time.Millisecond, time.Second,
	2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 50 * time.Second,
}

const latencyBuckets = 24

// bucketFrom has the first bucket that a duration of so many bits may be in: two
// bounds at the most lie within one power of two.
var bucketFrom = func() (from [65]uint8) {
	for n := range from {
		least := uint64(0)
		if n > 0 {
			least = 1 << (n - 1)
		}
		for from[n] < latencyBuckets-1 && uint64(LatencyBounds[from[n]]) < least {
			from[n]++
		}
	}
	return from
}()

// bucketOf is where a latency is counted: the first whose bound is not below it.
func bucketOf(took time.Duration) int {
	ns := uint64(max(took, 0))
	i := int(bucketFrom[bits.Len64(ns)])
	for i < latencyBuckets-1 && ns > uint64(LatencyBounds[i]) {
		i++
	}
	return i
}

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
	LatencySum time.Duration
	Accepted   uint64 // connections
	Received   uint64 // bytes
	Sent       uint64 // bytes
	Hits       uint64 // reads of keys that were there
	Misses     uint64
	Full       uint64 // changes that were refused for want of room
}

// Add adds those of another slot.
func (m *Meters) Add(o *Meters) {
	for kind := range m.Answers {
		for outcome := range m.Answers[kind] {
			m.Answers[kind][outcome] += o.Answers[kind][outcome]
		}
	}
	for i := range m.Latency {
		m.Latency[i] += o.Latency[i]
	}
	m.LatencySum += o.LatencySum
	m.Accepted += o.Accepted
	m.Received += o.Received
	m.Sent += o.Sent
	m.Hits += o.Hits
	m.Misses += o.Misses
	m.Full += o.Full
}

// Since is what was counted after before, an earlier reading of the same. What is
// less than it was counts as nothing.
func (m *Meters) Since(before *Meters) (d Meters) {
	for kind := range m.Answers {
		for outcome := range m.Answers[kind] {
			d.Answers[kind][outcome] = beyond(m.Answers[kind][outcome], before.Answers[kind][outcome])
		}
	}
	for i := range m.Latency {
		d.Latency[i] = beyond(m.Latency[i], before.Latency[i])
	}
	d.LatencySum = max(m.LatencySum-before.LatencySum, 0)
	d.Accepted = beyond(m.Accepted, before.Accepted)
	d.Received, d.Sent = beyond(m.Received, before.Received), beyond(m.Sent, before.Sent)
	d.Hits, d.Misses, d.Full = beyond(m.Hits, before.Hits), beyond(m.Misses, before.Misses), beyond(m.Full, before.Full)
	return d
}

func beyond(n, before uint64) uint64 { return n - min(n, before) }

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
	m.LatencySum = time.Duration(rec.latencySum.Load())
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
