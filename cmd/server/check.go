package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
)

const checkHelp = `Usage: fondue check [--region PATH]

Verifies every structure of a region and prints one line for each violation,
then a summary. It never writes, so it may run while the region is served. Work
that a running process is doing, or that a killed one left for the next start to
finish, is shown as pending and is no violation.

Exit code 0: clean. 1: violations, or the region cannot be opened or checked.
2: wrong flag or value.
`

func check(p process, args []string) error {
	path := defaultRegion
	flags := newFlagSet("check", group{"Flags", []option{regionOption(&path, "the mapped file to verify")}})
	if err := flags.parse(args, p.lookup); errors.Is(err, errHelp) {
		fmt.Fprint(p.stdout, checkHelp)
		flags.writeHelp(p.stdout)
		return nil
	} else if err != nil {
		return err
	}
	region, err := openRegion(path, shm.OpenReadOnly)
	if err != nil {
		return explainRegion(err, path)
	}
	defer region.Close() // a read-only mapping: nothing can be lost
	return printReport(p, region.Info(), region.Check())
}

// openRegion opens what may be a region: a pipe would wait for its writer.
func openRegion(path string, open func(string) (*shm.Region, error)) (*shm.Region, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w: not a regular file; name it with --region PATH", path, shm.ErrNotRegion)
	}
	return open(path)
}

func printReport(p process, info shm.Info, report shm.Report) error {
	for _, v := range report.Violations {
		fmt.Fprintf(p.stdout, "violation: %v\n", v)
	}
	for _, work := range report.Pending {
		fmt.Fprintf(p.stdout, "pending: %s\n", work)
	}
	for _, shard := range report.Busy {
		fmt.Fprintf(p.stdout, "not checked: shard %d changes faster than it can be read; run check again\n", shard)
	}
	fmt.Fprintf(p.stdout, "%s: %s, %s: %s%s%s\n", info.Path,
		count(uint64(report.Shards), "shard", "shards"), count(report.Entries, "entry", "entries"),
		count(uint64(len(report.Violations)), "violation", "violations"), unfinished(report), ofBoot(info))
	if !report.OK() {
		return &failure{code: exitFailure}
	}
	return nil
}

// ofBoot tells of a content that no start will trust.
func ofBoot(info shm.Info) string {
	if !info.OtherBoot {
		return ""
	}
	return fmt.Sprintf("; written before the last reboot, created %s: the next start sets it aside and begins empty",
		info.CreatedAt.UTC().Format(time.DateTime+" UTC"))
}

func unfinished(report shm.Report) string {
	text := ""
	if n := len(report.Pending); n > 0 {
		text += fmt.Sprintf(", %d pending", n)
	}
	if n := len(report.Busy); n > 0 {
		text += fmt.Sprintf(", %d not checked", n)
	}
	return text
}

func count(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
