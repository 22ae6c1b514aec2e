package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// failure ends a command with a code; an empty message says nothing more,
// because the command has said it.
type failure struct {
	code    int
	message string
}

func (f *failure) Error() string { return f.message }

// usagef is a mistake in the command line or the environment: nothing was
// started, nothing was touched.
func usagef(format string, args ...any) error {
	return &failure{exitUsage, fmt.Sprintf(format, args...)}
}

func asFailure(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	return &failure{exitFailure, err.Error()}
}

// oneLine keeps the promise that an error is one line, whatever a value from
// outside holds.
func oneLine(s string) string {
	return strings.NewReplacer("\r\n", "; ", "\n", "; ", "\r", " ").Replace(strings.TrimSpace(s))
}

// didYouMean offers the one known name that a typo away could have been.
func didYouMean(prefix, name string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := edits(name, k); d < distance && d < len(name) {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %s%s?", prefix, best)
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = slices.Min([]int{substitute, row[j] + 1, row[j+1] + 1})
		}
	}
	return row[len(b)]
}
