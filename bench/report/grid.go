package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// grid is a table, for the terminal and for Markdown. The first columns are words
// and stand to the left, the rest are figures and stand to the right.
type grid struct {
	head []string
	rows [][]string
	left int // columns of words
}

func (g *grid) add(row ...string) { g.rows = append(g.rows, row) }

func (g *grid) widths() []int {
	widths := make([]int, len(g.head))
	for _, row := range append([][]string{g.head}, g.rows...) {
		for i, text := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	return widths
}

// text aligns the columns with spaces.
func (g *grid) text(w io.Writer) error {
	buffer := bufio.NewWriter(w)
	widths := g.widths()
	for _, row := range append([][]string{g.head}, g.rows...) {
		var line strings.Builder
		for i, text := range row {
			if i > 0 {
				line.WriteString("  ")
			}
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text))
			if i < g.left {
				line.WriteString(text + space)
			} else {
				line.WriteString(space + text)
			}
		}
		fmt.Fprintln(buffer, strings.TrimRight(line.String(), " "))
	}
	return buffer.Flush()
}

func (g *grid) markdown(w io.Writer) error {
	buffer := bufio.NewWriter(w)
	line := func(row []string) {
		cells := make([]string, len(row))
		for i, text := range row {
			cells[i] = markdownText(text)
		}
		fmt.Fprintf(buffer, "| %s |\n", strings.Join(cells, " | "))
	}
	line(g.head)
	for i := range g.head {
		if i < g.left {
			fmt.Fprint(buffer, "|---")
		} else {
			fmt.Fprint(buffer, "|---:")
		}
	}
	fmt.Fprintln(buffer, "|")
	for _, row := range g.rows {
		line(row)
	}
	return buffer.Flush()
}

// markdownText keeps a name from being taken for a sign of Markdown.
func markdownText(text string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "_", `\_`, "<", "&lt;", "\n", " ").Replace(text)
}
