package report

import (
	"math"
	"strconv"
	"strings"

	"github.com/fondue-server/fondue/bench/stat"
)

// nothing stands where no figure is.
const nothing = "–"

// whole prints a number without decimals, its thousands apart.
func whole(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nothing
	}
	digits := strconv.FormatFloat(math.Abs(v), 'f', 0, 64)
	var parts []string
	for len(digits) > 3 {
		parts = append([]string{digits[len(digits)-3:]}, parts...)
		digits = digits[:len(digits)-3]
	}
	text := strings.Join(append([]string{digits}, parts...), ",")
	if v < 0 && text != "0" {
		return "-" + text
	}
	return text
}

// decimals prints three digits or four, and never more than are known.
func decimals(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return nothing
	case math.Abs(v) < 100:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case math.Abs(v) < 1000:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return whole(v)
}

// micros takes nanoseconds.
func micros(v float64) string { return decimals(v / 1e3) }

// millis takes nanoseconds.
func millis(v float64) string { return decimals(v / 1e6) }

// mebibytes takes bytes.
func mebibytes(v float64) string {
	if v <= 0 {
		return nothing
	}
	return decimals(v / (1 << 20))
}

func ratioText(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nothing
	}
	if v >= 10 {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	if v < 0.1 {
		return strconv.FormatFloat(v, 'f', 4, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

func spreadText(s stat.Spread, format func(float64) string) string {
	if s.N == 0 {
		return nothing
	}
	return format(s.Median) + " (" + format(s.Low) + "–" + format(s.High) + ")"
}

// shellText is a command as it can be pasted into a shell.
func shellText(command []string) string {
	words := make([]string, len(command))
	for i, word := range command {
		words[i] = word
		if word == "" || strings.ContainsAny(word, " \t\n\"'\\$&|;<>()*?[]{}#~`!") {
			words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

func floats(values []int64) []float64 {
	list := make([]float64, len(values))
	for i, v := range values {
		list[i] = float64(v)
	}
	return list
}
