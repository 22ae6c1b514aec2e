package report

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// Markdown writes the report as a page, with the plots that lie at these paths,
// as seen from the page.
func (v *View) Markdown(w io.Writer, plots []string) error {
	buffer := bufio.NewWriter(w)
	fmt.Fprintf(buffer, "# Benchmark report\n\n| | |\n|---|---|\n")
	for _, f := range origin(v.report) {
		text := markdownText(f.text)
		if f.name == "command" {
			text = "`" + strings.ReplaceAll(f.text, "|", `\|`) + "`"
		}
		fmt.Fprintf(buffer, "| %s | %s |\n", f.name, text)
	}
	fmt.Fprintf(buffer, "\n%s The load generator shares the CPUs with the server.\n\n## Targets\n\n", legend)
	if err := v.targetGrid().markdown(buffer); err != nil {
		return err
	}
	fmt.Fprintf(buffer, "\nStarted as:\n\n```\n")
	for _, t := range v.report.Targets {
		fmt.Fprintf(buffer, "# %s\n%s\n", t.Name, shellText(t.Command))
	}
	fmt.Fprintf(buffer, "```\n")
	if len(v.report.Skipped) > 0 {
		fmt.Fprintf(buffer, "\n## Not measured\n\n")
		if err := v.skippedGrid().markdown(buffer); err != nil {
			return err
		}
	}
	if len(plots) > 0 {
		fmt.Fprintf(buffer, "\n## Plots\n\n")
	}
	for _, path := range plots {
		name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		fmt.Fprintf(buffer, "![%s](%s)\n\n", name, filepath.ToSlash(path))
	}
	if len(plots) == 0 {
		fmt.Fprintln(buffer)
	}
	fmt.Fprintf(buffer, "## Loads\n")
	for _, load := range v.loads() {
		fmt.Fprintf(buffer, "\n### %s\n\n%s.\n\n", load.Name(), v.terms(load))
		if err := v.costGrid(load).markdown(buffer); err != nil {
			return err
		}
		fmt.Fprintln(buffer)
		if err := v.answerGrid(load).markdown(buffer); err != nil {
			return err
		}
		if notes := v.notes(load); len(notes) > 0 {
			fmt.Fprintln(buffer)
			for _, note := range notes {
				fmt.Fprintf(buffer, "- %s\n", markdownText(note))
			}
		}
	}
	return buffer.Flush()
}
