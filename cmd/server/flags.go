package main

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"sort"
	"strings"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/spf13/pflag"
)

const envPrefix = "FONDUE_"

// option is one flag, and the environment variable of the same name.
type option struct {
	name  string
	value pflag.Value
	// arg names the value in the help; empty for a switch.
	arg, usage string
	// fallback is the default as the help shows it.
	fallback string
	// many allows several values, separated by commas in the variable.
	many bool
	// live: a reload puts a changed value into force.
	live bool
	// kept: the file of --config may hold it.
	kept bool
	// object: a table of that file counts as JSON.
	object bool
	// now is what the value has become, to be compared with another run's.
	now func() any
}

func (o option) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_"))
}

type group struct {
	title   string
	options []option
}

// flagSet is the flags of one command, in the order of its help.
type flagSet struct {
	command string
	groups  []group
	parsed  *pflag.FlagSet
	operand string // name of the one word that may be beside the flags; "" none
	// origins says by flag where its value is from, as errors name it; a default
	// has none.
	origins map[string]string
}

var errHelp = errors.New("help wanted")

func newFlagSet(command string, groups ...group) *flagSet {
	fs := pflag.NewFlagSet(command, pflag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	for _, g := range groups {
		for _, o := range g.options {
			flag := fs.VarPF(o.value, o.name, "", o.usage)
			if o.arg == "" {
				flag.NoOptDefVal = "true"
			}
		}
	}
	return &flagSet{command: command, groups: groups, parsed: fs, origins: map[string]string{}}
}

// word is the word beside the flags, "" without one.
func (f *flagSet) word() string { return f.parsed.Arg(0) }

// parse reads the command line, then, for each flag that was not given, its
// variable. An empty variable counts as not given.
func (f *flagSet) parse(args []string, lookup func(string) (string, bool)) error {
	if err := f.parsed.Parse(args); err != nil {
		return f.explain(err)
	}
	switch rest := f.parsed.Args(); {
	case len(rest) > 0 && f.operand == "":
		return usagef("unexpected argument %q: %s takes flags only; see fondue %s --help", rest[0], f.command, f.command)
	case len(rest) > 1:
		return usagef("unexpected argument %q: %s takes one %s; see fondue %s --help", rest[1], f.command, f.operand, f.command)
	}
	for o := range f.options() {
		text, ok := lookup(o.env())
		switch {
		case f.parsed.Changed(o.name):
			f.origins[o.name] = "--" + o.name
		case ok && text != "":
			if err := o.set(text); err != nil {
				return usagef("%s: %v", o.env(), err)
			}
			f.origins[o.name] = o.env()
		}
	}
	return nil
}

func (f *flagSet) options() iter.Seq[option] {
	return func(yield func(option) bool) {
		for _, g := range f.groups {
			for _, o := range g.options {
				if !yield(o) {
					return
				}
			}
		}
	}
}

func (o option) set(text string) error {
	values := []string{text}
	if o.many {
		values = strings.Split(text, ",")
	}
	for _, v := range values {
		if err := o.value.Set(strings.TrimSpace(v)); err != nil {
			return err
		}
	}
	return nil
}

func (f *flagSet) explain(err error) error {
	var (
		unknown *pflag.NotExistError
		missing *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
		syntax  *pflag.InvalidSyntaxError
	)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return errHelp
	case errors.As(err, &unknown):
		if short := unknown.GetSpecifiedShortnames(); short != "" {
			return usagef("unknown flag -%s: flags are written out with two dashes; see fondue %s --help", short, f.command)
		}
		name := unknown.GetSpecifiedName()
		return usagef("unknown flag --%s%s; see fondue %s --help", name, didYouMean("--", name, f.names()), f.command)
	case errors.As(err, &missing):
		name := missing.GetFlag().Name
		return usagef("--%s needs a value: --%s %s", name, name, missing.GetFlag().Value.Type())
	case errors.As(err, &invalid):
		return usagef("--%s: %v", invalid.GetFlag().Name, invalid.Unwrap())
	case errors.As(err, &syntax):
		return usagef("%q is not a flag; see fondue %s --help", syntax.GetSpecifiedFlag(), f.command)
	}
	return usagef("%v; see fondue %s --help", err, f.command)
}

func (f *flagSet) names() []string {
	var names []string
	for o := range f.options() {
		names = append(names, o.name)
	}
	return names
}

// unknownVariables lists what begins with FONDUE_ and configures nothing. An
// orchestrator that runs a service called fondue sets FONDUE_SERVICE_HOST,
// FONDUE_PORT and their like in every container beside it: these are nobody's
// typo, and the reason why an unknown variable is a warning and not an error.
func (f *flagSet) unknownVariables(environ []string) []string {
	known := map[string]bool{handoff.Env: true, handoff.UpgradeEnv: true}
	var flags []string
	for _, name := range f.names() {
		env := option{name: name}.env()
		known[env] = true
		flags = append(flags, env)
	}
	// An environment may serve several commands.
	for _, other := range []*flagSet{newStatusOptions().flags(), new(dumpOptions).flags(), newLoadOptions().flags()} {
		for _, name := range other.names() {
			known[option{name: name}.env()] = true
		}
	}
	var warnings []string
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, envPrefix) || known[name] ||
			strings.HasPrefix(name, "FONDUE_SERVICE_") || name == "FONDUE_PORT" || strings.HasPrefix(name, "FONDUE_PORT_") {
			continue
		}
		warnings = append(warnings, fmt.Sprintf("%s is set but configures nothing%s", name, didYouMean("", name, flags)))
	}
	sort.Strings(warnings)
	return warnings
}
