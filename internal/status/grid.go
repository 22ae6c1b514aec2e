package status

import (
	"slices"
	"strings"
)

// column of a table. The least important goes first where the width is short; of rank 0
// none goes.
type column struct {
	head  string
	rank  int
	left  bool // aligned so
	least int  // width, so that the columns stay where they are while numbers change
}

// grid is a table under way.
type grid struct {
	columns []column
	rows    [][]string
	roles   []Role
}

func (g *grid) add(role Role, cells ...string) {
	g.rows = append(g.rows, cells)
	g.roles = append(g.roles, role)
}

const gap = 2 // between two columns

// lines lays the grid out within a width; 0 is any.
func (g *grid) lines(width int) []Line {
	widths := make([]int, len(g.columns))
	for i, c := range g.columns {
		widths[i] = max(len(c.head), c.least)
		for _, row := range g.rows {
			widths[i] = max(widths[i], len(row[i]))
		}
	}
	shown := g.fitting(widths, width)
	heads := make([]string, len(g.columns))
	for i, c := range g.columns {
		heads[i] = c.head
	}
	all := []Line{{g.line(heads, widths, shown), Heading}}
	for i, row := range g.rows {
		all = append(all, Line{g.line(row, widths, shown), g.roles[i]})
	}
	return all
}

// fitting are the columns that have room, in their order.
func (g *grid) fitting(widths []int, width int) []int {
	var shown []int
	for i := range g.columns {
		shown = append(shown, i)
	}
	for width > 0 && len(shown) > 1 {
		sum, least := -gap, 0
		for at, i := range shown {
			sum += widths[i] + gap
			if g.columns[i].rank > g.columns[shown[least]].rank {
				least = at
			}
		}
		if sum <= width || g.columns[shown[least]].rank == 0 {
			break
		}
		shown = slices.Delete(shown, least, least+1)
	}
	return shown
}

func (g *grid) line(cells []string, widths, shown []int) string {
	var text strings.Builder
	for at, i := range shown {
		if at > 0 {
			text.WriteString(strings.Repeat(" ", gap))
		}
		pad := strings.Repeat(" ", widths[i]-len(cells[i]))
		if g.columns[i].left {
			text.WriteString(cells[i] + pad)
		} else {
			text.WriteString(pad + cells[i])
		}
	}
	return strings.TrimRight(text.String(), " ")
}
