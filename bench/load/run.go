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

	"github.com/fondue-server/fondue/bench/idle"
	"github.com/fondue-server/fondue/bench/result"
)

// Phases of a run, in order. Loops read it before each request and after each
// reply.
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

// run is what all loops share.
type run struct {
	settings Settings
	calls    *calls
	base     time.Time // of every duration "since the start"
	phase    atomic.Int32
	begin    chan struct{} // a value: begin to measure
	stop     chan struct{} // closed: end early
	// from and to, since the start, hold an open loop's measured requests by when
	// they are due; they lie in an endless future until the measured time begins. No
	// reply is awaited beyond the deadline.
	from, to, deadline atomic.Int64
	acknowledged       []atomic.Int64 // by key
	loops              []*loop
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
	r, err := newRun(s)
	if err != nil {
		return err
	}
	defer r.close()
	go r.listen(io.MultiReader(settings.Buffered(), in)) // ends with stdin, or the process
	if err := r.connect(); err != nil {
		return err
	}
	if s.Prepare {
		if err := r.prepare(); err != nil {
			return err
		}
	}
	beside, err := r.besides()
	if err != nil {
		return err
	}
	defer beside.Close()
	return r.measure(beside, json.NewEncoder(out))
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

func newRun(s Settings) (*run, error) {
	r := &run{
		settings:     s,
		calls:        newCalls(s),
		base:         time.Now(),
		begin:        make(chan struct{}, 1),
		stop:         make(chan struct{}),
		acknowledged: make([]atomic.Int64, s.Load.Keys),
	}
	r.from.Store(math.MaxInt64)
	r.to.Store(math.MaxInt64)
	r.deadline.Store(int64(prepareLimit))
	n := s.loops()
	for i := range n {
		l, err := newLoop(r, (s.Load.Connections-i+n-1)/n)
		if err != nil {
			r.close()
			return nil, err
		}
		r.loops = append(r.loops, l)
		for j := range l.all {
			random := rand.New(rand.NewPCG(s.Seed, uint64(j*n+i)))
			l.all[j] = connection{
				loop: l, number: j, fd: -1,
				onTheWay: ring{places: make([]request, s.Load.Pipeline)},
				choice:   choice{newKeys(s.Load.Workload, s.Load.Keys, random), newMixer(s.Load.Workload, random)},
			}
		}
	}
	return r, nil
}

// loopRate is what one thread can send and keep the time: with fewer threads less is
// handed from one to another.
const loopRate = 50000

// loops is how many threads share the connections.
func (s Settings) loops() int {
	n := min(max(1, s.Threads), s.Load.Connections)
	if s.Load.Rate > 0 {
		n = min(n, 1+int(s.Load.Rate/loopRate))
	}
	return n
}

// connect opens all connections before anything is measured.
func (r *run) connect() error {
	if !r.settings.Load.KeepAlive {
		return nil
	}
	for i := range r.settings.Load.Connections {
		l := r.loops[i%len(r.loops)]
		c := &l.all[i/len(r.loops)]
		err := c.connect()
		if err == nil {
			err = connected(c.fd, prepareLimit)
		}
		if err != nil {
			return fmt.Errorf("connection %d of %d: %w", i+1, r.settings.Load.Connections, err)
		}
	}
	return nil
}

func (r *run) close() {
	for _, l := range r.loops {
		l.close()
	}
}

// each runs the loops of all connections to their end.
func (r *run) each() {
	var group sync.WaitGroup
	for _, l := range r.loops {
		group.Go(l.work)
	}
	group.Wait()
}

// measure runs the warm-up and the round, and writes the marks and the outcome.
func (r *run) measure(beside *idle.Connections, lines *json.Encoder) error {
	l := r.settings.Load
	r.base = time.Now()
	r.deadline.Store(math.MaxInt64)
	var from source = closedLoop{r}
	if l.Rate > 0 {
		from = openLoop{r, pacer(l.Rate), new(atomic.Int64)}
	}
	for _, l := range r.loops {
		l.source = from
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
	r.deadline.Store(int64(begin.Sub(r.base) + l.Round + drainLimit))
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
	hungUp, err := beside.Closed()
	if err != nil {
		return err
	}
	<-ended
	outcome, err := r.outcome(end.Sub(begin))
	if err != nil {
		return err
	}
	outcome.Round.Generator, outcome.HungUp = used, hungUp
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
	all := newLatencies()
	for _, l := range r.loops {
		o.Round.Requests += l.requests
		o.Round.Errors += l.errors
		o.Failed += l.failed
		if l.first != nil && o.FirstError == "" {
			o.FirstError = l.first.Error()
		}
		all.add(&l.latencies)
	}
	for key := range r.acknowledged {
		o.Acknowledged[key] = r.acknowledged[key].Load()
	}
	var err error
	o.Round.Latency, err = all.result()
	return o, err
}
