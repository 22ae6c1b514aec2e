// Command bench measures fondue beside what a user would pick instead, over
// sockets only: requests a second, latency, CPU and memory of the server's
// processes, time to the first answer, and whether every acknowledged increment is
// counted. `make bench` runs it; the help lists the targets and the loads.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/fondue-server/fondue/bench/load"
	"github.com/fondue-server/fondue/bench/report"
	"github.com/fondue-server/fondue/bench/result"
	"github.com/fondue-server/fondue/bench/run"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	args := os.Args[1:]
	var err error
	switch {
	case len(args) > 0 && args[0] == generatorCommand:
		// One more than its threads: the one that looks at the time finds room while they
		// are in system calls.
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
		err = load.Run(os.Stdin, os.Stdout)
	case len(args) > 0 && args[0] == "compare":
		err = compare(args[1:])
	default:
		err = measure(args)
	}
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		log.Fatal(err)
	}
}

// generatorCommand is the hidden one that generates load, from a process of its own.
const generatorCommand = "load"

func measure(args []string) error {
	o := newOptions()
	if err := o.parse(args); err != nil {
		return err
	}
	config, err := o.config()
	if err != nil {
		return err
	}
	if config.Dir, err = os.MkdirTemp(regionHome(), "fondue-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(config.Dir)
	// The first Ctrl-C ends the run, and what was measured is still written.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	found, failed := run.Run(ctx, config)
	return errors.Join(o.write(found), failed)
}

// regionHome is where the server keeps its region by default, for the same page
// sizes and no disk behind.
func regionHome() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}

// write gives the report every form that was asked for.
func (o *options) write(found *result.Report) error {
	view, err := report.New(found, o.baselinesOf(found)...)
	if err != nil {
		return err
	}
	all := errors.Join(view.Table(os.Stdout), report.Benchmark(os.Stdout, found))
	if o.json != "" {
		all = errors.Join(all, toFile(o.json, found.Write))
	}
	var plots []string
	if o.plots != "" {
		drawn, err := view.Plots(o.plots)
		plots, all = drawn, errors.Join(all, err)
	}
	if o.markdown != "" {
		all = errors.Join(all, toFile(o.markdown, func(w io.Writer) error { return view.Markdown(w, plots) }))
	}
	return all
}

// baselinesOf are the targets that the others are compared with: the named ones, as
// far as they ran.
func (o *options) baselinesOf(found *result.Report) (names []string) {
	for _, name := range list(o.baseline) {
		for _, t := range found.Targets {
			if t.Name == name || t.Name == fmt.Sprintf("%s/workers=%d", name, t.Workers) {
				names = append(names, t.Name)
				break
			}
		}
	}
	return names
}

func toFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

const compareHelp = "usage: bench compare [-baseline NAME] old.json new.json"

// compare says what changed between two reports beyond the noise.
func compare(args []string) error {
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	baseline := flags.String("baseline", "", "target whose ratios are compared, too")
	flags.Usage = func() { fmt.Fprintln(flags.Output(), compareHelp); flags.PrintDefaults() }
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 2 {
		return errors.New(compareHelp)
	}
	var both [2]*result.Report
	for i, path := range flags.Args() {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		both[i], err = result.Read(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return report.Compare(os.Stdout, both[0], both[1], *baseline)
}
