package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fondue-server/fondue/bench/result"
)

// fact is one line about where figures come from.
type fact struct{ name, text string }

// origin is where the figures of a report come from: without it they mean nothing.
func origin(r *result.Report) []fact {
	return []fact{
		{"date", r.Date.UTC().Format(time.RFC3339)},
		{"machine", machineText(r.Machine)},
		{"kernel", r.Machine.Kernel},
		{"system", r.Machine.OS},
		{"versions", versionsText(r.Versions)},
		{"command", shellText(r.Command)},
	}
}

func machineText(m result.Machine) string {
	return fmt.Sprintf("%s, %d CPUs, %.1f GiB", m.CPU, m.CPUs, float64(m.Memory)/(1<<30))
}

func versionsText(versions map[string]string) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(versions)) {
		// Go calls its version go1.26.
		list = append(list, name+" "+strings.TrimPrefix(versions[name], name))
	}
	return strings.Join(list, ", ")
}
