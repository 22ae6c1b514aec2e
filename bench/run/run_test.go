package run

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fondue-server/fondue/bench/result"
	"github.com/fondue-server/fondue/bench/target"
)

func short(workload string, keys int) result.Load {
	return result.Load{
		Workload: workload, Keys: keys, Connections: 2, Network: "tcp", KeepAlive: true, Pipeline: 1,
		Round: 60 * time.Millisecond, Warmup: 10 * time.Millisecond,
	}
}

// measure runs targets under loads, and checks that nothing is left of them. Where a
// busy machine lets a round pass without an answer, they are run with longer ones.
func measure(t *testing.T, ctx context.Context, progress *bytes.Buffer, loads []result.Load, fakes ...*fake) (*result.Report, error) {
	t.Helper()
	dir := t.TempDir()
	c := Config{
		Loads: loads, Rounds: 3, Starts: 2, Settle: time.Millisecond, Idle: 20, Dir: dir,
		Generator: generator, Command: []string{"bench", "test"}, Progress: progress,
	}
	for _, f := range fakes {
		c.Targets = append(c.Targets, target.Target(f))
	}
	report, err := Run(ctx, c)
	for errors.Is(err, errTooShort) && c.Loads[0].Round < 10*time.Second {
		t.Log(err)
		c.Loads = slices.Clone(c.Loads)
		for i := range c.Loads {
			c.Loads[i].Round *= 4
		}
		progress.Reset()
		report, err = Run(ctx, c)
	}
	for _, f := range fakes {
		for _, s := range f.running {
			if !s.ended() {
				t.Errorf("%s: process %d was left running", f.name, s.command.Process.Pid)
			}
		}
	}
	left, readErr := os.ReadDir(dir)
	if readErr != nil || len(left) != 0 {
		t.Errorf("files left behind: %v, %v", left, readErr)
	}
	return report, err
}

func TestRun(t *testing.T) {
	t.Parallel()
	a, b, absent := newFake("a"), newFake("b"), newFake("absent")
	absent.missing = "install it"
	var progress bytes.Buffer
	loads := []result.Load{short("increment-uniform", 20), short("mixed", 3), short("get", 1)}
	loads[2].Bytes = 100
	report, err := measure(t, t.Context(), &progress, loads, a, b, absent)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Targets) != 2 || len(report.Cells) != 4 {
		t.Fatalf("%d targets, %d cells; progress:\n%s", len(report.Targets), len(report.Cells), &progress)
	}
	for _, x := range report.Targets {
		if len(x.Start) != 2 || x.Start[0] <= 0 || x.MemoryAtRest < 1<<20 || x.MemoryAfterLoad < 1<<20 || len(x.Command) == 0 ||
			x.IdleConnections != 20 || x.MemoryIdle < 1<<20 {
			t.Errorf("target %+v", x)
		}
	}
	for _, cell := range report.Cells {
		if len(cell.Rounds) != 3 || cell.Acknowledged == 0 || cell.Lost() != 0 {
			t.Errorf("%s: %d rounds, %d acknowledged, %d lost", cell.Target, len(cell.Rounds), cell.Acknowledged, cell.Lost())
		}
		for _, r := range cell.Rounds {
			if r.Requests == 0 || r.Errors != 0 || r.User+r.System <= 0 || r.Waited <= 0 || r.Generator <= 0 || r.CPU() > float64(time.Second) || r.Latency.Histogram == "" {
				t.Errorf("%s: round %+v", cell.Target, r)
			}
		}
	}
	if want := []result.Skipped{{Name: "absent", Reason: "install it"}}; !slices.Equal(report.Skipped, want) {
		t.Errorf("skipped %v", report.Skipped)
	}
	if report.Version != result.Version || report.Machine.Memory == 0 || report.Machine.Kernel == unknown ||
		report.Versions["a"] != "1" || report.Versions["absent"] != "" || report.Date.IsZero() || len(report.Command) == 0 {
		t.Errorf("report %+v", report)
	}
	if order, want := rounds(progress.String(), loads[0]), []string{"a", "b", "b", "a", "a", "b"}; !slices.Equal(order, want) {
		t.Errorf("order of the rounds %v, want %v", order, want)
	}
	for _, text := range []string{"skipped absent: install it", "a: left out of get/keys=1/conns=2/bytes=100: it has no get", "[12/18, ", "lost 0"} {
		if !strings.Contains(progress.String(), text) {
			t.Errorf("no %q in the progress:\n%s", text, &progress)
		}
	}
}

// rounds are the targets of a load's rounds in the order in which they were run.
func rounds(progress string, l result.Load) []string {
	var names []string
	for line := range strings.Lines(progress) {
		if _, rest, found := strings.Cut(line, "left] "+l.Name()+" "); found {
			name, _, _ := strings.Cut(rest, " ")
			names = append(names, name)
		}
	}
	return names
}

func TestLostIncrementsAreFound(t *testing.T) {
	t.Parallel()
	loads := []result.Load{short("increment", 1)}
	for _, inexact := range []bool{false, true} {
		f := newFake("loser")
		f.loses, f.inexact = 10, inexact
		var progress bytes.Buffer
		report, err := measure(t, t.Context(), &progress, loads, f)
		if (err == nil) != inexact {
			t.Errorf("promises to lose none: %v; error %v", !inexact, err)
		}
		cell := report.Cells[0]
		if lost := cell.Lost(); lost != cell.Acknowledged/10 {
			t.Errorf("%d of %d lost, want every tenth", lost, cell.Acknowledged)
		}
	}
}

func TestATargetThatFailsLeavesTheOthers(t *testing.T) {
	t.Parallel()
	good, bad, mute := newFake("good"), newFake("bad"), newFake("mute")
	bad.failStart, mute.counts = true, false
	var progress bytes.Buffer
	report, err := measure(t, t.Context(), &progress, []result.Load{short("increment", 1)}, bad, good, mute)
	if err == nil || !strings.Contains(err.Error(), "bad, start-up: fake trouble") {
		t.Errorf("error %v", err)
	}
	if len(report.Targets) != 2 || len(report.Cells) != 2 || len(report.Skipped) != 1 {
		t.Errorf("report %+v", report)
	}
	if c := report.Cells[1]; c.Target != "mute" || c.Acknowledged != 0 || c.Counted != 0 || len(c.Rounds) != 3 {
		t.Errorf("a target that counts nothing: %+v", c)
	}
}

func TestAServerThatDiesIsToldOf(t *testing.T) {
	t.Parallel()
	good, dies := newFake("good"), newFake("dies")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	load := short("increment", 1)
	load.Round *= 8 // what has happened by then cannot be had again
	progress := &watch{after: "dies round 1", do: func() {
		s := dies.running[len(dies.running)-1]
		_ = s.command.Process.Kill()
		s.stop = func() error { _ = s.command.Wait(); return errors.New("killed") }
	}}
	report, err := Run(ctx, Config{
		Targets: []target.Target{good, dies}, Loads: []result.Load{load}, Rounds: 3,
		Dir: t.TempDir(), Generator: generator, Progress: progress,
	})
	if err == nil || !strings.Contains(err.Error(), "dies, stopping: killed") || !strings.Contains(err.Error(), "dies, increment/keys=1/conns=2: ") {
		t.Errorf("error %v", err)
	}
	if len(report.Cells) != 2 || len(report.Cells[0].Rounds) != 3 || report.Cells[0].Lost() != 0 || len(report.Cells[1].Rounds) != 1 {
		t.Errorf("cells %+v", report.Cells)
	}
}

func TestAnInterruptedRunHasItsReport(t *testing.T) {
	t.Parallel()
	a, b := newFake("a"), newFake("b")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	long := short("increment", 1)
	long.Round *= 8
	progress := &watch{after: "a round 1", do: func() {
		// In the middle of the next round, of b: it is told apart by having begun.
		time.AfterFunc(long.Round/2, cancel)
	}}
	report, err := Run(ctx, Config{
		Targets: []target.Target{a, b}, Loads: []result.Load{long, short("report", 5)}, Rounds: 100,
		Dir: t.TempDir(), Generator: generator, Progress: progress,
	})
	if !errors.Is(err, ErrInterrupted) || err.Error() != ErrInterrupted.Error() {
		t.Errorf("error %v", err)
	}
	if len(report.Cells) == 0 || len(report.Cells[0].Rounds) == 0 || len(report.Cells[0].Rounds) > 3 {
		t.Fatalf("cells %+v", report.Cells)
	}
	if c := report.Cells[0]; c.Acknowledged == 0 || c.Lost() != 0 {
		t.Errorf("%d acknowledged, %d lost", c.Acknowledged, c.Lost())
	}
	for _, s := range slices.Concat(a.running, b.running) {
		if !s.ended() {
			t.Errorf("process %d was left running", s.command.Process.Pid)
		}
	}
	// What b has acknowledged in the round that was cut was compared, too.
	if !strings.Contains(progress.text.String(), "# b: acknowledged ") || strings.Contains(progress.text.String(), "FAILED") {
		t.Errorf("progress:\n%s", &progress.text)
	}
}

// watch is a progress that does something, once, after a line.
type watch struct {
	text  bytes.Buffer
	after string
	do    func()
}

func (w *watch) Write(line []byte) (int, error) {
	if w.do != nil && strings.Contains(string(line), w.after) {
		w.do()
		w.do = nil
	}
	return w.text.Write(line)
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	one := newFake("one")
	cases := map[string]Config{
		"rounds": {Targets: []target.Target{one}},
		"twice":  {Targets: []target.Target{one, one}, Rounds: 1},
		"load":   {Targets: []target.Target{one}, Rounds: 1, Loads: []result.Load{{}}},
		"none":   {Rounds: 1},
	}
	for name, c := range cases {
		if report, err := Run(t.Context(), c); err == nil || report == nil {
			t.Errorf("%s: report %v, error %v", name, report, err)
		}
	}
}

// TestIdleConnectionsThatAreNotKept: what hung up is not weighed, and the rest of the
// run goes on.
func TestIdleConnectionsThatAreNotKept(t *testing.T) {
	t.Parallel()
	a := newFake("a")
	a.loses = -1
	var progress bytes.Buffer
	load := short("increment", 1)
	load.KeepAlive = false
	report, err := measure(t, t.Context(), &progress, []result.Load{load}, a)
	if err != nil {
		t.Fatal(err)
	}
	if x := report.Targets[0]; x.IdleConnections != 0 || x.MemoryIdle != 0 || x.MemoryAtRest == 0 || len(report.Cells) != 1 {
		t.Errorf("target %+v, %d cells", x, len(report.Cells))
	}
	if !strings.Contains(progress.String(), "20 idle connections were not weighed: it closed connections that were idle") {
		t.Errorf("progress:\n%s", &progress)
	}
}
