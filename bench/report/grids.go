package report

import (
	"strconv"

	"github.com/fondue-server/fondue/bench/result"
	"github.com/fondue-server/fondue/bench/stat"
)

// costGrid has what a load costs on each target.
func (v *View) costGrid(load result.Load) *grid {
	g := &grid{left: 1, head: []string{"target", rate.name, cpu.name, "user + system", generator.name}}
	references := v.references(load)
	for _, r := range references {
		g.head = append(g.head, "requests/s ÷ "+r.name, "CPU ÷ "+r.name)
	}
	for _, c := range v.cells(load) {
		row := []string{c.Target, rate.show(c), cpu.show(c), nothing, generator.show(c)}
		if s := user.spread(c); s.N > 0 {
			row[3] = micros(s.Median) + " + " + micros(system.spread(c).Median)
		}
		for _, r := range references {
			row = append(row, spreadText(r.ratio(c, rate), ratioText), spreadText(r.ratio(c, cpu), ratioText))
		}
		g.add(row...)
	}
	return g
}

// answerGrid has how long answers took, and whether the counters are right.
func (v *View) answerGrid(load result.Load) *grid {
	g := &grid{left: 1, head: []string{"target", p50.name, p99.name, p999.name, waited.name, "acknowledged", "counted", "lost", "errors"}}
	references := v.references(load)
	for _, r := range references {
		g.head = append(g.head, "p99 ÷ "+r.name)
	}
	for _, c := range v.cells(load) {
		acknowledged, counted, lost := nothing, nothing, nothing
		if c.Acknowledged != 0 || c.Counted != 0 {
			acknowledged, counted, lost = whole(float64(c.Acknowledged)), whole(float64(c.Counted)), whole(float64(c.Lost()))
		}
		row := []string{c.Target, p50.show(c), p99.show(c), p999.show(c), waited.show(c), acknowledged, counted, lost, whole(float64(errorsOf(c)))}
		for _, r := range references {
			row = append(row, spreadText(r.ratio(c, p99), ratioText))
		}
		g.add(row...)
	}
	return g
}

// targetGrid has what belongs to a target whatever its load.
func (v *View) targetGrid() *grid {
	g := &grid{left: 2, head: []string{"target", "what it is", "workers", "start-up, ms", "PSS at rest, MiB", "after the load, MiB", "an idle connection, KiB", "its heap at most, KiB"}}
	for _, t := range v.report.Targets {
		g.add(t.Name, t.Title, strconv.Itoa(t.Workers), spreadText(stat.Of(floats(t.Start)), millis),
			mebibytes(float64(t.MemoryAtRest)), mebibytes(float64(t.MemoryAfterLoad)), decimals(t.IdleMemory()/1024), decimals(t.IdleAnonymous()/1024))
	}
	return g
}

func (v *View) skippedGrid() *grid {
	g := &grid{left: 2, head: []string{"skipped", "why"}}
	for _, s := range v.report.Skipped {
		g.add(s.Name, s.Reason)
	}
	return g
}

func errorsOf(c result.Cell) int64 {
	var n int64
	for _, r := range c.Rounds {
		n += r.Errors
	}
	return n
}
