package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// legend says what the figures are, wherever they are shown.
const legend = "Figures are medians over the rounds (lowest–highest). CPU is that of the server's processes alone, and the generator's stands beside it. " +
	"÷ is the ratio to what it names, of rounds of the same turn."

// Table writes the report for a terminal.
func (v *View) Table(w io.Writer) error {
	buffer := bufio.NewWriter(w)
	for _, f := range origin(v.report) {
		fmt.Fprintf(buffer, "%-9s %s\n", f.name, f.text)
	}
	fmt.Fprintf(buffer, "\n%s\n\n", strings.ReplaceAll(legend, ". ", ".\n"))
	if err := v.targetGrid().text(buffer); err != nil {
		return err
	}
	for _, load := range v.loads() {
		fmt.Fprintf(buffer, "\n%s\n%s\n\n", load.Name(), v.terms(load))
		if err := v.costGrid(load).text(buffer); err != nil {
			return err
		}
		fmt.Fprintln(buffer)
		if err := v.answerGrid(load).text(buffer); err != nil {
			return err
		}
		for _, note := range v.notes(load) {
			fmt.Fprintf(buffer, "! %s\n", note)
		}
	}
	if len(v.report.Skipped) > 0 {
		fmt.Fprintln(buffer)
		if err := v.skippedGrid().text(buffer); err != nil {
			return err
		}
	}
	return buffer.Flush()
}
