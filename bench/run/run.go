// Package run measures targets under loads: it starts them, loads them in turn,
// and says what it found.
//
// Every load meets fresh servers, so that none pays for the keys of another. All
// targets of a load are up at the same time, and its rounds alternate between
// them, the order turned in every other one (A B C, C B A): a drift of the machine
// meets all alike, and the n-th rounds of two targets are a pair. So are those of
// loads that differ in their idle connections alone, each with servers of its own.
package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/fondue-server/fondue/bench/load"
	"github.com/fondue-server/fondue/bench/result"
	"github.com/fondue-server/fondue/bench/target"
)

// Config is what to measure.
type Config struct {
	Targets []target.Target
	Loads   []result.Load
	Rounds  int           // of each target under each load
	Starts  int           // of each target, for the time to the first answer
	Settle  time.Duration // without requests, before memory is read
	Idle    int           // connections whose memory is read at the last start; 0: none
	// Dir is where the servers keep their files; each start has a directory of its
	// own in it, which is removed afterwards.
	Dir string
	// Generator is the command of load.Run; it gets its settings on stdin.
	Generator []string
	// Threads that it has.
	Threads int
	// Command is that of the benchmark, for the report.
	Command  []string
	Progress io.Writer
}

// ErrInterrupted is returned with a report of what was measured before.
var ErrInterrupted = errors.New("interrupted; the report has what was measured before")

// Run measures. The report is of use with an error, too: when ctx was cancelled,
// or a target failed or lost increments that it promises not to lose. No server
// is left running.
func Run(ctx context.Context, c Config) (*result.Report, error) {
	r := &runner{
		config: c,
		report: &result.Report{
			Version: result.Version, Date: time.Now(), Command: c.Command,
			Machine: machine(), Versions: versions(c.Targets),
		},
		progress: progress{to: c.Progress},
	}
	if err := r.check(); err != nil {
		return r.report, err
	}
	r.choose()
	if len(r.sides) == 0 {
		return r.report, errors.New("no target can run here; the reasons are in the report")
	}
	r.measureStart(ctx)
	r.progress.total = len(c.Loads) * c.Rounds * len(r.sides)
	for i, together := range groups(c.Loads) {
		if ctx.Err() != nil {
			break
		}
		r.measureLoads(ctx, together, i == 0)
	}
	for _, s := range r.sides {
		if len(s.described.Command) > 0 { // it has run at least once
			r.report.Targets = append(r.report.Targets, s.described)
		}
	}
	if ctx.Err() != nil {
		r.failures = append(r.failures, ErrInterrupted)
	}
	return r.report, errors.Join(r.failures...)
}

// runner is one run; one goroutine's.
type runner struct {
	config   Config
	report   *result.Report
	sides    []*side
	progress progress
	failures []error
}

// side is one target over the whole run.
type side struct {
	target    target.Target
	described result.Target
}

func (r *runner) check() error {
	if r.config.Rounds < 1 || r.config.Starts < 0 || r.config.Idle < 0 {
		return errors.New("a run has 1 round or more, and 0 starts and idle connections or more")
	}
	var names []string
	for _, l := range r.config.Loads {
		if err := load.Check(l); err != nil {
			return fmt.Errorf("%s: %w", l.Name(), err)
		}
		names = append(names, l.Name())
	}
	for _, t := range r.config.Targets {
		names = append(names, t.Describe().Name)
	}
	slices.Sort(names)
	for i := range names[min(1, len(names)):] {
		if names[i] == names[i+1] {
			return fmt.Errorf("%s is there twice; once is enough", names[i])
		}
	}
	return nil
}

// choose leaves out the targets that this host cannot run.
func (r *runner) choose() {
	for _, t := range r.config.Targets {
		described := t.Describe()
		if reason := t.Missing(); reason != "" {
			r.skip(described.Name, reason)
			continue
		}
		r.sides = append(r.sides, &side{t, described})
	}
}

func (r *runner) skip(name, reason string) {
	r.report.Skipped = append(r.report.Skipped, result.Skipped{Name: name, Reason: reason})
	r.progress.printf("skipped %s: %s", name, reason)
}

// fail notes what went wrong with a target, and lets the run go on.
func (r *runner) fail(name, doing string, err error) {
	err = fmt.Errorf("%s, %s: %w", name, doing, err)
	r.failures = append(r.failures, err)
	r.progress.printf("FAILED %v", err)
}

// start runs one server, with files in a directory of its own.
func (r *runner) start(ctx context.Context, s *side) (*server, error) {
	dir, err := os.MkdirTemp(r.config.Dir, "bench-")
	if err != nil {
		return nil, err
	}
	// An interrupt ends the start, and not what has started: its counters are read
	// after that.
	starting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	release := context.AfterFunc(ctx, cancel)
	running, err := s.target.Start(starting, dir)
	release()
	if err != nil {
		cancel()
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s.described.Command = running.Command()
	return &server{Running: running, dir: dir, cancel: cancel}, nil
}

// server is a running target with its files.
type server struct {
	target.Running
	dir    string
	cancel context.CancelFunc // of the context that it was started with
}

func (s *server) end() error {
	defer s.cancel()
	return errors.Join(s.Stop(), os.RemoveAll(s.dir))
}

// pause is a time.Sleep that ends with ctx.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
