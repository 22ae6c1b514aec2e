// Command fondue serves HTTP from many worker processes over one
// memory-mapped region. It is the only place that reads flags and environment
// and that ends the process.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/fondue-server/fondue/internal/command"
)

// Exit codes of the commands that a user types. Those of a worker process are
// internal/handoff's.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	if code, ok := runAsWorker(os.LookupEnv); ok {
		os.Exit(code)
	}
	p := process{
		stdin:   os.Stdin,
		stdout:  os.Stdout,
		stderr:  os.Stderr,
		lookup:  os.LookupEnv,
		environ: os.Environ,
		command: append([]string{programPath(os.Args[0])}, os.Args[1:]...),
	}
	os.Exit(p.run(os.Args[1:]))
}

// process is what a command may touch of the world outside.
type process struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	lookup         func(string) (string, bool)
	environ        func() []string
	command        []string // path and arguments of this process
}

// programPath is where an upgrade finds the program: the path that it was
// started by, with its links as they will lead then.
func programPath(name string) string {
	if found, err := exec.LookPath(name); err == nil {
		name = found
	}
	if path, err := filepath.Abs(name); err == nil {
		return path
	}
	return name
}

type subcommand struct {
	name, summary string
	run           func(p process, args []string) error
}

func commands() []subcommand {
	return []subcommand{
		{"serve", "create or open the region and serve it (the default)", serve},
		{"status", "show live how the server and the region do", showStatus},
		{"check", "verify a region without writing to it", check},
		{"dump", "write every key as a line of JSON", dumpRegion},
		{"load", "read what dump has written into a region", loadRegion},
		{"version", "print version, commit and Go release", version},
	}
}

// run carries out one command line and returns the exit code.
func (p process) run(args []string) int {
	out := &checkedWriter{Writer: p.stdout}
	p.stdout = out
	err := p.dispatch(args)
	if err == nil {
		if out.err == nil {
			return exitOK
		}
		err = fmt.Errorf("standard output cannot be written: %w", cause(out.err))
	}
	failed := asFailure(err)
	if failed.message != "" {
		p.say(fmt.Sprintf("fondue: %s\n", oneLine(failed.message)))
	}
	return failed.code
}

// checkedWriter remembers that something could not be written: an answer that
// is not there must not look like a good one.
type checkedWriter struct {
	io.Writer
	err error
}

func (w *checkedWriter) Write(b []byte) (int, error) {
	n, err := w.Writer.Write(b)
	if err != nil && w.err == nil {
		w.err = err
	}
	return n, err
}

// lastWords bounds the wait for a reader of standard error, which may be a
// full pipe.
const lastWords = 500 * time.Millisecond

// say writes to standard error, unless nobody reads it.
func (p process) say(line string) {
	said := make(chan struct{})
	go func() { // until it is written, or the process ends
		defer close(said)
		fmt.Fprint(p.stderr, line)
	}()
	select {
	case <-said:
	case <-time.After(lastWords):
	}
}

func (p process) dispatch(args []string) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		if len(args) == 1 && args[0] == "--version" {
			return version(p, nil)
		}
		return serve(p, args)
	}
	name, rest := args[0], args[1:]
	if name == "help" {
		return help(p, rest)
	}
	var names []string
	for _, c := range commands() {
		if c.name == name {
			return c.run(p, rest)
		}
		names = append(names, c.name)
	}
	return usagef("unknown command %q%s; the commands are %s, and serve is the default",
		name, didYouMean("", name, names), command.InWords(names))
}

func help(p process, args []string) error {
	if len(args) == 0 {
		return serve(p, []string{"--help"})
	}
	return p.dispatch([]string{args[0], "--help"})
}
