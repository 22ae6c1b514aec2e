package report

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/fondue-server/fondue/bench/result"
	"github.com/fondue-server/fondue/bench/stat"
)

// confidence of the intervals, and 1-confidence the share of differences that are
// called real where there are none.
const confidence = 0.95

// memoryStep is the share by which memory, read once, must differ to be shown.
const memoryStep = 0.1

// same is said of whatever the noise could have made.
const same = "no difference beyond the noise"

// change is one figure in two reports.
type change struct {
	target, what string
	old, new     string
	d            stat.Difference
	moreIsBetter bool
}

func (c change) real() bool { return c.d.P <= 1-confidence }

func (c change) verdict() string {
	switch {
	case math.IsNaN(c.d.Ratio):
		return "not measured"
	case c.d.Least > 1-confidence:
		return "too few rounds to tell"
	case !c.real() || c.d.Ratio == 1:
		return same
	case (c.d.Ratio > 1) == c.moreIsBetter:
		return "better"
	}
	return "WORSE"
}

// interval of the ratio; "" where there are too few rounds for any.
func (c change) interval() string {
	if math.IsNaN(c.d.Ratio) {
		return nothing
	}
	if c.d.Low == 0 || math.IsInf(c.d.High, 1) {
		return ratioText(c.d.Ratio)
	}
	return spreadText(stat.Spread{N: 1, Median: c.d.Ratio, Low: c.d.Low, High: c.d.High}, ratioText)
}

// Compare writes what differs beyond the noise between two reports. A machine has
// slow hours that no test can tell from a change of the server, so the ratios to a
// baseline, which was measured in the same minutes, are compared as well.
func Compare(w io.Writer, older, newer *result.Report, baseline string) error {
	o, err := New(older, baseline)
	if err != nil {
		return fmt.Errorf("old report: %w", err)
	}
	n, err := New(newer, baseline)
	if err != nil {
		return fmt.Errorf("new report: %w", err)
	}
	buffer := bufio.NewWriter(w)
	fmt.Fprintf(buffer, "old  %s\nnew  %s\n", originLine(older), originLine(newer))
	for _, line := range differences(older, newer) {
		fmt.Fprintf(buffer, "! %s\n", line)
	}
	fmt.Fprintf(buffer, "\nMedians over the rounds. The ratio is new/old with its %.0f %% interval, P that of the Mann-Whitney test.\n", 100*confidence)
	var all []change
	write := func(title string, changes []change) error {
		if len(changes) == 0 {
			return nil
		}
		all = append(all, changes...)
		fmt.Fprintf(buffer, "\n%s\n\n", title)
		if err := changeGrid(changes).text(buffer); err != nil {
			return err
		}
		if moved(changes, baseline) {
			fmt.Fprintf(buffer, "! the baseline itself has moved: the machine may have; go by the lines ÷ %s\n", baseline)
		}
		return nil
	}
	if err := write("start-up", startChanges(older, newer)); err != nil {
		return err
	}
	for _, load := range n.loads() {
		if err := write(load.Name(), loadChanges(o, n, load, baseline)); err != nil {
			return err
		}
		for _, line := range lostChanges(o, n, load) {
			fmt.Fprintf(buffer, "! %s\n", line)
		}
	}
	fmt.Fprintln(buffer)
	for _, line := range memoryChanges(older, newer) {
		fmt.Fprintf(buffer, "memory: %s\n", line)
	}
	for _, line := range unmatched(older, newer) {
		fmt.Fprintln(buffer, line)
	}
	fmt.Fprintln(buffer, summary(all))
	return buffer.Flush()
}

// moved says whether the baseline's rate or cost differs, as it does when the machine
// has become slower or faster.
func moved(changes []change, baseline string) bool {
	return slices.ContainsFunc(changes, func(c change) bool {
		return baseline != "" && c.target == baseline && (c.what == rate.name || c.what == cpu.name) && c.real()
	})
}

func originLine(r *result.Report) string {
	return r.Date.UTC().Format("2006-01-02 15:04") + "  " + machineText(r.Machine) + ", Linux " + r.Machine.Kernel
}

func changeGrid(changes []change) *grid {
	g := &grid{left: 2, head: []string{"target", "", "old", "new", "new/old", "P", "verdict"}}
	for _, c := range changes {
		p := nothing
		if !math.IsNaN(c.d.Ratio) {
			p = fmt.Sprintf("%.3f", c.d.P)
		}
		g.add(c.target, c.what, c.old, c.new, c.interval(), p, c.verdict())
	}
	return g
}

func compared(target string, m metric, what string, a, b []float64) change {
	return change{target, what, m.format(stat.Median(a)), m.format(stat.Median(b)), stat.Compare(a, b, confidence), m.moreIsBetter}
}

// loadChanges compares the targets that both reports have under a load.
func loadChanges(older, newer *View, load result.Load, baseline string) []change {
	compare, relate := []metric{rate, cpu, p50, p99, p999}, []metric{rate, cpu}
	if load.Rate > 0 { // which the harness has set
		compare, relate = compare[1:], relate[1:]
	}
	var changes []change
	for _, b := range newer.cells(load) {
		a, ok := older.cell(b.Target, load)
		if !ok {
			continue
		}
		for _, m := range compare {
			changes = append(changes, compared(b.Target, m, m.name, m.values(a), m.values(b)))
		}
		if baseline == "" || b.Target == baseline {
			continue
		}
		baseA, okA := older.cell(baseline, load)
		baseB, okB := newer.cell(baseline, load)
		if !okA || !okB {
			continue
		}
		for _, m := range relate {
			relative := metric{format: ratioText, moreIsBetter: m.moreIsBetter}
			what := map[string]string{rate.name: "requests/s ÷ ", cpu.name: "CPU ÷ "}[m.name] + baseline
			changes = append(changes, compared(b.Target, relative, what,
				stat.Ratios(m.values(a), m.values(baseA)), stat.Ratios(m.values(b), m.values(baseB))))
		}
	}
	return changes
}

func startChanges(older, newer *result.Report) []change {
	var changes []change
	took := metric{format: millis}
	for _, pair := range targetPairs(older, newer) {
		changes = append(changes, compared(pair.new.Name, took, "start-up, ms", floats(pair.old.Start), floats(pair.new.Start)))
	}
	return changes
}

// summary counts, and says how many differences chance alone would have made.
func summary(changes []change) string {
	var better, worse, few, tested int
	for _, c := range changes {
		switch c.verdict() {
		case "better":
			better++
		case "WORSE":
			worse++
		case "too few rounds to tell":
			few++
		}
		if !math.IsNaN(c.d.Ratio) && c.d.Least <= 1-confidence {
			tested++
		}
	}
	text := fmt.Sprintf("%d better, %d worse of %d figures compared; some %.0f would differ by chance", better, worse, tested, math.Ceil(float64(tested)*(1-confidence)))
	if better+worse == 0 {
		text = fmt.Sprintf("%s in %d figures compared", same, tested)
	}
	if few > 0 {
		text += fmt.Sprintf("; %d with too few rounds to tell (4 and more in each report can)", few)
	}
	return text
}
