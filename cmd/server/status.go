package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/fondue-server/fondue/internal/screen"
	"github.com/fondue-server/fondue/internal/shm"
	"github.com/fondue-server/fondue/internal/status"
)

const statusHelp = `Usage: fondue status [--region PATH] [--interval TIME] [--once] [--json]

Shows live, in the terminal, how the server and the region do: requests, latencies,
workers, routes, the store and its hottest shards. It reads the region itself and
never writes to it: it needs no worker to answer, and where no server runs it shows
what the last one left. Keys: q, Esc or Ctrl-C leave, p pauses.

With --once it looks twice, an interval apart, and prints the table; so it does where
standard output is no terminal. --json prints JSON instead: with --once one document,
without it one a line each interval until it is interrupted. docs/http.md tells what is
in it; /v1/status answers the same.

Exit code 0: done, or interrupted. 1: the region cannot be opened or read, or has
gone. 2: wrong flag or value.
`

const (
	defaultInterval = time.Second
	minInterval     = 100 * time.Millisecond
	maxInterval     = time.Hour
)

// statusOptions holds what the flags of status say.
type statusOptions struct {
	region     string
	interval   time.Duration
	once, json bool
}

func newStatusOptions() *statusOptions {
	return &statusOptions{region: defaultRegion, interval: defaultInterval}
}

func (o *statusOptions) flags() *flagSet {
	return newFlagSet("status", group{"Flags", []option{
		regionOption(&o.region, "the mapped file to look at"),
		flag("interval", "TIME", &o.interval, parseInterval, "1s", "from one look to the next: 100ms to 1h"),
		flag("once", "", &o.once, parseBool, "", "print the table once, without a screen of its own"),
		flag("json", "", &o.json, parseBool, "", "print JSON"),
	}})
}

func parseInterval(s string) (time.Duration, error) {
	d, err := parseDuration(s)
	if err == nil && (d < minInterval || d > maxInterval) {
		return 0, fmt.Errorf("%q is not an interval of 100ms to 1h", s)
	}
	return d, err
}

func showStatus(p process, args []string) error {
	o := newStatusOptions()
	flags := o.flags()
	if err := flags.parse(args, p.lookup); errors.Is(err, errHelp) {
		fmt.Fprint(p.stdout, statusHelp)
		flags.writeHelp(p.stdout)
		return nil
	} else if err != nil {
		return err
	}
	watch := status.NewWatch(o.region, openToWatch)
	defer watch.Close()
	first, err := watch.Look() // before anything else: a wrong path is told on the command line
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	width, terminal := terminalWidth(p)
	switch {
	case o.once && o.json:
		return o.printOnce(ctx, watch, func(d *status.Document) error { return printDocument(p.stdout, d) })
	case o.json:
		return o.stream(ctx, p.stdout, watch)
	case o.once || !terminal:
		return o.printOnce(ctx, watch, func(d *status.Document) error {
			_, err := io.WriteString(p.stdout, status.Text(status.Table(d, width, 0)))
			return err
		})
	}
	return screen.Config{First: first, Look: watch.Look, Interval: o.interval}.Run(ctx)
}

// openToWatch opens a region of this boot, for reading.
func openToWatch(path string) (*shm.Region, error) {
	region, err := openRegion(path, shm.OpenReadOnly)
	if err != nil {
		return nil, explainRegion(err, path)
	}
	if region.Info().OtherBoot {
		region.Close() // a read-only mapping: nothing can be lost
		return nil, explainRegion(fmt.Errorf("%s: %w", path, shm.ErrOtherBoot), path)
	}
	return region, nil
}

// terminalWidth is that of standard output, 0 for any. It reports whether a screen can be
// drawn there.
func terminalWidth(p process) (width int, drawable bool) {
	out := p.stdout
	if checked, ok := out.(*checkedWriter); ok {
		out = checked.Writer
	}
	file, ok := out.(*os.File)
	if !ok {
		return 0, false
	}
	width, _, ok = screen.Size(file)
	kind, _ := p.lookup("TERM")
	return width, ok && kind != "" && kind != "dumb"
}

// printOnce prints what an interval has brought. The first look was before.
func (o *statusOptions) printOnce(ctx context.Context, watch *status.Watch, show func(*status.Document) error) error {
	if !wait(ctx, o.interval) {
		return nil
	}
	d, err := watch.Look()
	if err != nil {
		return err
	}
	return show(&d)
}

// stream prints a document a line, until it is interrupted or nobody reads it. A region
// that is not there for one look may be about to be replaced; for two, it has gone.
func (o *statusOptions) stream(ctx context.Context, out io.Writer, watch *status.Watch) error {
	signal.Ignore(syscall.SIGPIPE) // it would end the process, and not well
	missed := false
	for wait(ctx, o.interval) {
		d, err := watch.Look()
		if err != nil && missed {
			return err
		}
		if missed = err != nil; missed {
			continue
		}
		if err := printDocument(out, &d); errors.Is(err, syscall.EPIPE) {
			return &failure{code: exitOK}
		} else if err != nil {
			return err
		}
	}
	return nil
}

func printDocument(out io.Writer, d *status.Document) error {
	line, err := json.Marshal(d)
	if err != nil {
		return err
	}
	_, err = out.Write(append(line, '\n'))
	return err
}

// wait reports false when it was interrupted.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
