package load

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
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

// Go is the line that begins the measured time.
const Go = "go"

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
	begin    chan struct{} // a value: begin to measure
	stop     chan struct{} // closed: end early
	// from and to, since the start, hold an open loop's measured requests by when
	// they are due; they lie in an endless future until the measured time begins.
	from, to     atomic.Int64
	acknowledged []atomic.Int64 // by key
	connections  []connection
}

func (r *run) elapsed() time.Duration { return time.Since(r.base) }

// measures says whether a request that has now its reply, or has failed, is part
// of the measurement. In an open loop all are that were due in the measured time,
// however late they are answered: else the slowest would be left out.
func (r *run) measures(due time.Duration) bool {
	if r.settings.Load.Rate > 0 {
		return int64(due) >= r.from.Load() && int64(due) < r.to.Load()
	}
	return r.phase.Load() == measuring
}

// Run is the generator.
func Run(in io.Reader, out io.Writer) error {
	var s Settings
	settings := json.NewDecoder(in)
	if err := settings.Decode(&s); err != nil {
		return fmt.Errorf("settings on stdin: %w", err)
	}
	if err := s.check(); err != nil {
		return err
	}
	r := newRun(s)
	defer r.hangUp()
	go r.listen(io.MultiReader(settings.Buffered(), in)) // ends with stdin, or the process
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

// listen waits for the word to begin, and for the end of stdin.
func (r *run) listen(in io.Reader) {
	defer close(r.stop)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if lines.Text() == Go {
			select {
			case r.begin <- struct{}{}:
			default: // said twice
			}
		}
	}
}

func newRun(s Settings) *run {
	r := &run{
		settings:     s,
		calls:        newCalls(s),
		base:         time.Now(),
		begin:        make(chan struct{}, 1),
		stop:         make(chan struct{}),
		acknowledged: make([]atomic.Int64, s.Load.Keys),
		connections:  make([]connection, s.Load.Connections),
	}
	r.from.Store(math.MaxInt64)
	r.to.Store(math.MaxInt64)
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
	deadline := r.base.Add(l.Warmup + l.Round + drainLimit)
	var from source = closedLoop{r}
	if l.Rate > 0 {
		arrivals := make(chan time.Duration, maxQueue)
		from = openLoop{r, arrivals}
		go pacer(l.Rate).arrive(r, arrivals) // ends by closing arrivals
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
	whole := wait(r, time.After(l.Warmup))
	if err := lines.Encode(Mark{time.Now()}); err != nil {
		return err
	}
	whole = whole && wait(r, r.begin)
	begin, used := time.Now(), ownCPU()
	r.to.Store(int64(begin.Sub(r.base) + l.Round)) // first: from is before it at any moment
	r.from.Store(int64(begin.Sub(r.base)))
	r.phase.CompareAndSwap(warming, measuring)
	whole = whole && wait(r, time.After(l.Round))
	end, used := time.Now(), ownCPU()-used
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
	outcome.Round.Generator = used
	outcome.Stopped = !whole
	return lines.Encode(outcome)
}

// wait returns when something comes, or with false when told to stop.
func wait[T any](r *run, something <-chan T) bool {
	select {
	case <-something:
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
