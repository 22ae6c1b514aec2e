package report

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/fondue-server/fondue/bench/result"
)

// pair is one target in two reports.
type pair struct{ old, new result.Target }

func targetPairs(older, newer *result.Report) []pair {
	var pairs []pair
	for _, b := range newer.Targets {
		for _, a := range older.Targets {
			if a.Name == b.Name {
				pairs = append(pairs, pair{a, b})
			}
		}
	}
	return pairs
}

// differences of machine and settings: each may be the cause of what follows.
func differences(older, newer *result.Report) []string {
	var lines []string
	differ := func(what string, a, b any) {
		if a != b {
			lines = append(lines, fmt.Sprintf("%s differs: %v, now %v", what, a, b))
		}
	}
	a, b := older.Machine, newer.Machine
	differ("the machine's CPU", a.CPU, b.CPU)
	differ("the number of CPUs", a.CPUs, b.CPUs)
	// The kernel keeps a little for itself, more or less of it.
	if math.Abs(float64(a.Memory-b.Memory)) > 0.02*float64(a.Memory) {
		differ("the memory, bytes,", a.Memory, b.Memory)
	}
	differ("the kernel", a.Kernel, b.Kernel)
	differ("the system", a.OS, b.OS)
	programs := maps.Clone(older.Versions)
	if programs == nil {
		programs = map[string]string{}
	}
	maps.Copy(programs, newer.Versions)
	for _, name := range slices.Sorted(maps.Keys(programs)) {
		differ("the version of "+name, known(older.Versions[name]), known(newer.Versions[name]))
	}
	for _, p := range targetPairs(older, newer) {
		differ(p.new.Name+": the number of workers", p.old.Workers, p.new.Workers)
	}
	// A setting that differs everywhere is said once.
	seen := map[string]bool{}
	for _, c := range newer.Cells {
		before, ok := find(older, c.Target, c.Load.Name())
		if !ok {
			continue
		}
		for _, s := range []struct {
			what string
			a, b any
		}{
			{"the measured time of a round", before.Load.Round, c.Load.Round},
			{"the time before a round", before.Load.Warmup, c.Load.Warmup},
			{"the number of rounds", len(before.Rounds), len(c.Rounds)},
		} {
			if key := fmt.Sprint(s.what, s.a, s.b); !seen[key] {
				seen[key] = true
				differ(s.what, s.a, s.b)
			}
		}
	}
	return lines
}

func known(version string) string {
	if version == "" {
		return "none"
	}
	return version
}

// unmatched are what only one of the reports has.
func unmatched(older, newer *result.Report) []string {
	var lines []string
	only := func(which string, r, other *result.Report) {
		for _, c := range r.Cells {
			if _, ok := find(other, c.Target, c.Load.Name()); !ok {
				lines = append(lines, fmt.Sprintf("only in the %s report: %s, %s", which, c.Target, c.Load.Name()))
			}
		}
	}
	only("old", older, newer)
	only("new", newer, older)
	return lines
}

// lostChanges need no test: one increment is one too many.
func lostChanges(older, newer *View, load result.Load) []string {
	var lines []string
	for _, b := range newer.cells(load) {
		a, ok := older.cell(b.Target, load)
		if ok && (a.Lost() > 0 || b.Lost() > 0) {
			lines = append(lines, fmt.Sprintf("%s lost %s of %s increments, now %s of %s", b.Target,
				whole(float64(a.Lost())), whole(float64(a.Acknowledged)), whole(float64(b.Lost())), whole(float64(b.Acknowledged))))
		}
		if was, is := errorsOf(a), errorsOf(b); ok && (was > 0 || is > 0) {
			lines = append(lines, fmt.Sprintf("%s failed %s requests, now %s", b.Target, whole(float64(was)), whole(float64(is))))
		}
	}
	return lines
}

// memoryChanges are of readings that were made once: their noise is not known.
func memoryChanges(older, newer *result.Report) []string {
	var lines []string
	for _, p := range targetPairs(older, newer) {
		for _, m := range []struct {
			what     string
			old, new int64
		}{{"at rest", p.old.MemoryAtRest, p.new.MemoryAtRest}, {"after the load", p.old.MemoryAfterLoad, p.new.MemoryAfterLoad}, {"with idle connections", p.old.MemoryIdle, p.new.MemoryIdle}, {"with idle connections, anonymous,", p.old.AnonymousIdle, p.new.AnonymousIdle}} {
			if m.old > 0 && m.new > 0 && math.Abs(float64(m.new)/float64(m.old)-1) >= memoryStep {
				lines = append(lines, fmt.Sprintf("%s %s took %s MiB, now %s (read once each: the noise is not known)", p.new.Name, m.what, mebibytes(float64(m.old)), mebibytes(float64(m.new))))
			}
		}
	}
	return lines
}
