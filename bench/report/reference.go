package report

import (
	"github.com/fondue-server/fondue/bench/result"
	"github.com/fondue-server/fondue/bench/stat"
)

// reference is what the cells of a load are compared with: the same load on a baseline,
// or the same target without the idle connections.
type reference struct {
	name string
	of   func(result.Cell) (result.Cell, bool)
}

func (v *View) references(load result.Load) []reference {
	var all []reference
	for _, b := range v.baselines {
		all = append(all, reference{b, func(c result.Cell) (result.Cell, bool) { return v.cell(b, c.Load) }})
	}
	without := reference{"without the idle ones", func(c result.Cell) (result.Cell, bool) {
		c.Load.Beside = 0
		return v.cell(c.Target, c.Load)
	}}
	for _, c := range v.cells(load) {
		if _, ok := without.of(c); ok && load.Beside > 0 {
			return append(all, without)
		}
	}
	return all
}

// ratio is that of a cell's rounds to the reference's, pair by pair.
func (r reference) ratio(c result.Cell, m metric) stat.Spread {
	base, ok := r.of(c)
	if !ok {
		return stat.Of(nil)
	}
	return stat.Of(stat.Ratios(m.values(c), m.values(base)))
}
