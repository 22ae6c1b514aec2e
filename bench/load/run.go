package load

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fondue-server/fondue/bench/result"
)

// Phases of a run, in order. Connections read it before each request and after
// each reply.
const (
	warming int32 = iota
	measuring
	ending
	stopped // early: nothing more is sent
)

// Replies are awaited so long after the end; those that have not come then are
// errors.
const drainLimit = 10 * time.Second

const prepareLimit = 10 * time.Minute

// run is what all connections share.
type run struct {
	settings Settings
	calls    *calls
	base     time.Time // of every duration "since the start"
	phase    atomic.Int32
	stop     chan struct{} // closed: end early
	// from and to hold an open loop's measured requests, by when they are due.
	from, to     time.Duration
	acknowledged []atomic.Int64 // by key
	connections  []connection
}

func (r *run) elapsed() time.Duration { return time.Since(r.base) }

// measures says whether a request that has now its reply, or has failed, is part
// of the measurement. In an open loop all are that were due in the measured time,
// however late they are answered: else the slowest would be left out.
func (r *run) measures(due time.Duration) bool {
	if r.settings.Load.Rate > 0 {
		return due >= r.from && due < r.to
	}
	return r.phase.Load() == measuring
}

// Run is the generator.
func Run(in io.Reader, out io.Writer) error {
	var s Settings
	if err := json.NewDecoder(in).Decode(&s); err != nil {
		return fmt.Errorf("settings on stdin: %w", err)
	}
	if err := s.check(); err != nil {
		return err
	}
	r := newRun(s)
	defer r.hangUp()
	go func() { // ends with stdin, or the process
		_, _ = io.Copy(io.Discard, in) // its end is all that matters
		close(r.stop)
	}()
	if err := r.connect(); err != nil {
		return err
	}
	if s.Prepare {
		if err := r.prepare(); err != nil {
			return err
		}
	}
	return r.measure(json.NewEncoder(out))
}

func newRun(s Settings) *run {
	r := &run{
		settings:     s,
		calls:        newCalls(s),
		base:         time.Now(),
		stop:         make(chan struct{}),
		acknowledged: make([]atomic.Int64, s.Load.Keys),
		connections:  make([]connection, s.Load.Connections),
	}
	for i := range r.connections {
		random := rand.New(rand.NewPCG(s.Seed, uint64(i)))
		r.connections[i] = connection{
			run:       r,
			replies:   replies{buffer: make([]byte, bufferSize)},
			out:       make([]byte, 0, s.Load.Pipeline*r.calls.size()),
			onTheWay:  ring{places: make([]request, s.Load.Pipeline)},
			keys:      newKeys(s.Load.Workload, s.Load.Keys, random),
			mixer:     newMixer(s.Load.Workload, random),
			latencies: newLatencies(s.Load.Connections),
		}
	}
	return r
}

// connect opens all connections before anything is measured.
func (r *run) connect() error {
	deadline := time.Now().Add(prepareLimit)
	for i := range r.connections {
		c := &r.connections[i]
		c.deadline = deadline
		if !r.settings.Load.KeepAlive {
			continue
		}
		if err := c.connect(); err != nil {
			return fmt.Errorf("connection %d of %d: %w", i+1, len(r.connections), err)
		}
	}
	return nil
}

func (r *run) hangUp() {
	for i := range r.connections {
		r.connections[i].hangUp()
	}
}

// each runs the loops of all connections to their end.
func (r *run) each() {
	var group sync.WaitGroup
	for i := range r.connections {
		group.Go(r.connections[i].loop)
	}
	group.Wait()
}

// measure runs the warm-up and the round, and writes the marks and the outcome.
func (r *run) measure(lines *json.Encoder) error {
	l := r.settings.Load
	r.base = time.Now()
	r.from, r.to = l.Warmup, l.Warmup+l.Round
	deadline := r.base.Add(r.to + drainLimit)
	var from source = closedLoop{r}
	if l.Rate > 0 {
		arrivals := make(chan time.Duration, int(min(maxQueue, l.Rate*r.to.Seconds()+1)))
		from = openLoop{r, arrivals}
		go pacer(l.Rate).arrive(r, arrivals, r.to) // ends by closing arrivals
	}
	for i := range r.connections {
		r.connections[i].source = from
		if err := r.connections[i].until(deadline); err != nil {
			return err
		}
	}
	ended := make(chan struct{})
	go func() {
		r.each()
		close(ended)
	}()
	whole := r.wait(r.from)
	begin := time.Now()
	r.phase.CompareAndSwap(warming, measuring)
	if err := lines.Encode(Mark{begin}); err != nil {
		return err
	}
	until := r.to
	if l.Rate == 0 {
		until = begin.Sub(r.base) + l.Round // a whole round, also when it began late
	}
	whole = whole && r.wait(until)
	end := time.Now()
	if whole {
		r.phase.Store(ending)
	} else {
		r.phase.Store(stopped)
	}
	if err := lines.Encode(Mark{end}); err != nil {
		return err
	}
	<-ended
	outcome, err := r.outcome(end.Sub(begin))
	if err != nil {
		return err
	}
	outcome.Stopped = !whole
	return lines.Encode(outcome)
}

// wait returns at the time since the start, or with false when told to stop.
func (r *run) wait(until time.Duration) bool {
	timer := time.NewTimer(until - r.elapsed())
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.stop:
	}
	select {
	case <-r.stop:
		return false
	default:
		return true
	}
}

func (r *run) outcome(elapsed time.Duration) (Outcome, error) {
	o := Outcome{Round: result.Round{Elapsed: elapsed}, Acknowledged: make([]int64, len(r.acknowledged))}
	all := newLatencies(len(r.connections))
	for i := range r.connections {
		c := &r.connections[i]
		o.Round.Requests += c.requests
		o.Round.Errors += c.errors
		o.Failed += c.failed
		if c.first != nil && o.FirstError == "" {
			o.FirstError = c.first.Error()
		}
		all.add(&c.latencies)
	}
	for key := range r.acknowledged {
		o.Acknowledged[key] = r.acknowledged[key].Load()
	}
	var err error
	o.Round.Latency, err = all.result()
	return o, err
}
