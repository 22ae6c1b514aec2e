package report

import (
	"fmt"

	"github.com/fondue-server/fondue/bench/result"
	"github.com/fondue-server/fondue/bench/stat"
)

// pace is the share of an open loop's rate below which a target has not kept up.
const pace = 0.99

// notes are what a reader of a load's figures must not miss, a line each.
func (v *View) notes(load result.Load) []string {
	var notes []string
	cells := v.cells(load)
	most := 0
	for _, c := range cells {
		most = max(most, len(c.Rounds))
	}
	for _, c := range cells {
		note := func(format string, a ...any) {
			notes = append(notes, c.Target+": "+fmt.Sprintf(format, a...))
		}
		exact := v.target(c.Target).Exact
		switch lost := c.Lost(); {
		case lost > 0 && exact:
			note("LOST %s of %s acknowledged increments, and its design promises to lose none", whole(float64(lost)), whole(float64(c.Acknowledged)))
		case lost > 0:
			note("lost %s of %s acknowledged increments (%.1f %%), as its design allows", whole(float64(lost)), whole(float64(c.Acknowledged)), 100*float64(lost)/float64(c.Acknowledged))
		case lost < 0 && -lost > errorsOf(c):
			note("counted %s more than it acknowledged", whole(float64(-lost)))
		}
		if n := errorsOf(c); n > 0 {
			note("%s requests failed", whole(float64(n)))
		}
		if len(c.Rounds) < most {
			note("%d of %d rounds only", len(c.Rounds), most)
		}
		if s := rate.spread(c); load.Rate > 0 && s.N > 0 && s.Median < pace*load.Rate {
			note("answered %s requests/s of the %s that were due", whole(s.Median), whole(load.Rate))
		}
	}
	return notes
}

// terms say how a load was made.
func (v *View) terms(load result.Load) string {
	rounds := map[int]bool{}
	for _, c := range v.cells(load) {
		rounds[len(c.Rounds)] = true
	}
	var counts []float64
	for n := range rounds {
		counts = append(counts, float64(n))
	}
	s := stat.Of(counts)
	text := fmt.Sprintf("%.0f", s.High)
	if s.Low < s.High {
		text = fmt.Sprintf("%.0f to %.0f", s.Low, s.High)
	}
	loop := "closed loop"
	if load.Rate > 0 {
		loop = fmt.Sprintf("open loop, %s requests/s due", whole(load.Rate))
	}
	if load.Beside > 0 {
		loop += fmt.Sprintf(", beside %s idle connections", whole(float64(load.Beside)))
	}
	return fmt.Sprintf("%s; rounds: %s of %v after %v, in alternation", loop, text, load.Round, load.Warmup)
}
