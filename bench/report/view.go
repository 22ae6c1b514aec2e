// Package report shows what a benchmark run has found: as a table, as Go benchmark
// lines, as Markdown and as plots, and what has changed between two runs. It works
// from a result.Report alone. Every figure is a median over rounds with the lowest
// and the highest beside it; targets are compared by the ratios of rounds that were
// run one after the other.
package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fondue-server/fondue/bench/result"
)

// View is a report, seen from its baselines.
type View struct {
	report    *result.Report
	baselines []string
}

// New refuses a baseline that was not measured; "" is none.
func New(r *result.Report, baselines ...string) (*View, error) {
	var names []string
	for _, t := range r.Targets {
		names = append(names, t.Name)
	}
	v := &View{report: r}
	for _, b := range baselines {
		switch {
		case b == "" || slices.Contains(v.baselines, b):
		case !slices.Contains(names, b):
			return nil, fmt.Errorf("baseline %q is not in the report; choose one of %s", b, strings.Join(names, ", "))
		default:
			v.baselines = append(v.baselines, b)
		}
	}
	return v, nil
}

// loads returns each load once, in the order of the report.
func (v *View) loads() []result.Load {
	var loads []result.Load
	seen := map[string]bool{}
	for _, c := range v.report.Cells {
		if name := c.Load.Name(); !seen[name] {
			seen[name] = true
			loads = append(loads, c.Load)
		}
	}
	return loads
}

// cells returns those of a load, in the order of the targets.
func (v *View) cells(load result.Load) []result.Cell {
	var cells []result.Cell
	for _, t := range v.report.Targets {
		if c, ok := v.cell(t.Name, load); ok {
			cells = append(cells, c)
		}
	}
	return cells
}

func (v *View) cell(target string, load result.Load) (result.Cell, bool) {
	return find(v.report, target, load.Name())
}

func find(r *result.Report, target, load string) (result.Cell, bool) {
	for _, c := range r.Cells {
		if c.Target == target && c.Load.Name() == load {
			return c, true
		}
	}
	return result.Cell{}, false
}

func (v *View) target(name string) result.Target {
	for _, t := range v.report.Targets {
		if t.Name == name {
			return t
		}
	}
	return result.Target{Name: name}
}
