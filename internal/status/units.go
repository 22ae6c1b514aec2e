package status

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// none stands for what is not known.
const none = "-"

// scaled writes a number with the name of its power, and a digit behind the point where
// it has few before it.
func scaled(v, base float64, names []string) string {
	i := 0
	for i < len(names)-1 && v >= base*0.9995 {
		v /= base
		i++
	}
	digits := 0
	if i > 0 && v < 99.95 || v < 9.95 && v != math.Trunc(v) {
		digits = 1
	}
	return strings.TrimRight(strconv.FormatFloat(v, 'f', digits, 64)+" "+names[i], " ")
}

var (
	thousands = []string{"", "k", "M", "G", "T"}
	binary    = []string{"B", "KiB", "MiB", "GiB", "TiB"}
)

func humanCount(n uint64) string { return scaled(float64(n), 1000, thousands) }

func humanBytes(n float64) string { return scaled(math.Round(n), 1024, binary) }

func humanRate(v *float64) string {
	if v == nil {
		return none
	}
	return scaled(*v, 1000, thousands)
}

// perSecond is a rate in a sentence: nothing without one.
func perSecond(v *float64) string {
	if v == nil {
		return ""
	}
	return humanRate(v) + "/s"
}

func humanPercent(v *float64) string {
	if v == nil {
		return none
	}
	if *v > 0 && *v < 9.95 {
		return fmt.Sprintf("%.1f%%", *v)
	}
	return fmt.Sprintf("%.0f%%", *v)
}

func humanMicroseconds(v *float64) string {
	if v == nil {
		return none
	}
	return scaled(*v, 1000, []string{"us", "ms", "s"})
}

func humanSeconds(s float64) string {
	d := time.Duration(max(s, 0) * float64(time.Second))
	const day = 24 * time.Hour
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%02dh", d/day, d%day/time.Hour)
}

// plain replaces what is no printable ASCII: a path may hold anything.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
