package report

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/fondue-server/fondue/bench/result"
)

// units tell benchstat which way is better, and what is no sample but a fact.
const units = `Unit req/s better=higher
Unit lost assume=exact
Unit rest-pss-bytes assume=exact
Unit load-pss-bytes assume=exact
Unit idle-conn-pss-bytes assume=exact
Unit idle-conn-anon-bytes assume=exact
`

// Benchmark writes the report as Go benchmark lines, one for each round, which
// benchstat reads: benchstat -col /target, or two files of them.
func Benchmark(w io.Writer, r *result.Report) error {
	buffer := bufio.NewWriter(w)
	// What differs from run to run is a comment: benchstat makes a table of its own for
	// each value of a key.
	for _, f := range origin(r) {
		fmt.Fprintf(buffer, "# %s: %s\n", f.name, f.text)
	}
	fmt.Fprintf(buffer, "pkg: github.com/fondue-server/fondue/bench\ncpu: %s\n\n%s\n", r.Machine.CPU, units)
	line := func(kind string, c result.Target, rest string) string {
		return fmt.Sprintf("Benchmark%s/target=%s%s-%d", kind, benchmarkText(c.Name), rest, max(1, r.Machine.CPUs))
	}
	for _, t := range r.Targets {
		for _, took := range t.Start {
			fmt.Fprintf(buffer, "%s 1 %d ns/op\n", line("Start", t, ""), took)
		}
		if t.IdleConnections > 0 {
			fmt.Fprintf(buffer, "%s %d %.0f idle-conn-pss-bytes", line("IdleConnection", t, ""), t.IdleConnections, t.IdleMemory())
			if t.AnonymousAtRest > 0 {
				fmt.Fprintf(buffer, " %.0f idle-conn-anon-bytes", t.IdleAnonymous())
			}
			fmt.Fprintln(buffer)
		}
		if t.MemoryAtRest > 0 || t.MemoryAfterLoad > 0 {
			fmt.Fprintf(buffer, "%s 1 %d rest-pss-bytes %d load-pss-bytes\n", line("Memory", t, ""), t.MemoryAtRest, t.MemoryAfterLoad)
		}
	}
	for _, c := range r.Cells {
		target, load := result.Target{Name: c.Target}, "/load="+benchmarkText(c.Load.Name())
		for _, round := range c.Rounds {
			if round.Requests == 0 {
				continue // nothing was answered: no cost of a request
			}
			fmt.Fprintf(buffer, "%s %d %.0f ns/op %.0f req/s", line("Load", target, load), round.Requests,
				float64(round.Elapsed.Nanoseconds())/float64(round.Requests), round.Rate())
			for _, m := range []struct {
				metric
				unit string
			}{{cpu, "cpu-ns/req"}, {user, "user-ns/req"}, {system, "system-ns/req"}, {p50, "p50-ns"}, {p99, "p99-ns"}, {p999, "p99.9-ns"}, {waited, "wait-ns/req"}, {generator, "generator-ns/req"}} {
				if value := m.of(round); !math.IsNaN(value) && !math.IsInf(value, 0) {
					fmt.Fprintf(buffer, " %.0f %s", value, m.unit)
				}
			}
			fmt.Fprintf(buffer, " %d errors\n", round.Errors)
		}
		if c.Acknowledged != 0 || c.Counted != 0 {
			fmt.Fprintf(buffer, "%s 1 %d acknowledged %d counted %d lost\n", line("Count", target, load), c.Acknowledged, c.Counted, c.Lost())
		}
	}
	return buffer.Flush()
}

// benchmarkText keeps a name in one word.
func benchmarkText(name string) string { return strings.Join(strings.Fields(name), "_") }
