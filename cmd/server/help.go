package main

import (
	"fmt"
	"io"
	"strings"
)

const (
	helpIndent = 28
	helpWidth  = 92
)

// writeHelp prints the flags by group, each with its default and variable.
func (f *flagSet) writeHelp(w io.Writer) {
	for _, g := range f.groups {
		fmt.Fprintf(w, "\n%s\n", g.title)
		for _, o := range g.options {
			head := "  --" + o.name
			if o.arg != "" {
				head += " " + o.arg
			}
			text := o.usage + " [" + o.env() + "]"
			if o.fallback != "" {
				text = o.usage + " (default " + o.fallback + ") [" + o.env() + "]"
			}
			for i, line := range wrap(text, helpWidth-helpIndent) {
				if i > 0 {
					head = ""
				}
				if len(head) >= helpIndent {
					fmt.Fprintln(w, head)
					head = ""
				}
				fmt.Fprintf(w, "%-*s%s\n", helpIndent, head, line)
			}
		}
	}
}

func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
