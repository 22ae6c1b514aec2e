package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fondue-server/fondue/bench/result"
	"github.com/fondue-server/fondue/bench/run"
	"github.com/fondue-server/fondue/bench/target"
)

// options are what the command line says of a run.
type options struct {
	flags                                                 *flag.FlagSet
	binaries                                              target.Binaries
	variants                                              []target.Variant
	targets, workers, workloads, connections, keys, bytes string
	network, beside                                       string
	newConnections                                        bool
	pipeline, rounds, starts, idle, threads               int
	rate                                                  float64
	round, warmup, settle                                 time.Duration
	baseline, json, markdown, plots                       string
}

const usage = `usage: bench [flags]                     measure
       bench compare old.json new.json   what changed beyond the noise

Lists are separated by commas. Each target meets every load: all workloads, numbers
of keys, connections and sizes of values with each other. Rounds alternate.

targets: fondue fondue-shared fondue-no-lane constant nginx-lua nginx-constant go-redis
         fastapi-global fastapi-redis fastapi-manager fastapi-manager-lock
         fastapi-syncmanager fastapi-postgres fastapi-sqlite, or all; with /workers=N one of them;
         fondue-no-lane is --fast-lane=off, and -variant adds what else one binary can be
workloads: increment increment-uniform increment-zipf report mixed get put

`

func newOptions() *options {
	o := &options{flags: flag.NewFlagSet("bench", flag.ContinueOnError)}
	cpus := strconv.Itoa(runtime.GOMAXPROCS(0))
	f := o.flags
	f.Usage = func() { fmt.Fprint(f.Output(), usage); f.PrintDefaults() }
	f.StringVar(&o.binaries.Fondue, "fondue", "bin/fondue", "the server to measure")
	f.StringVar(&o.binaries.Constant, "constant", "bin/constant", "the ceiling")
	f.StringVar(&o.binaries.GoRedis, "goredis", "bin/goredis", "the Go front end of Redis")
	f.StringVar(&o.targets, "targets", "fondue,constant,nginx-lua", "what to measure")
	f.Func("variant", "a target fondue-NAME more: the server with these flags, `NAME='--flag value'`; may be given several times", o.variant)
	f.StringVar(&o.workers, "workers", cpus, "worker processes of each target")
	f.StringVar(&o.workloads, "workloads", "increment", "what to send")
	f.StringVar(&o.connections, "connections", "64", "connections")
	f.StringVar(&o.keys, "keys", "1", "keys")
	f.StringVar(&o.bytes, "bytes", "100", "size of a value, for get and put")
	f.StringVar(&o.network, "network", "tcp", "tcp or unix")
	f.BoolVar(&o.newConnections, "new-connections", false, "a connection for each request")
	f.IntVar(&o.pipeline, "pipeline", 1, "requests on the way in one connection")
	f.Float64Var(&o.rate, "rate", 0, "requests a second of an open loop; 0 is a closed one")
	f.IntVar(&o.rounds, "rounds", 9, "rounds of each target under each load")
	f.IntVar(&o.starts, "starts", 5, "starts of each target to measure")
	f.IntVar(&o.idle, "idle", 1000, "idle connections to weigh at the last start; 0 for none")
	f.StringVar(&o.beside, "beside-idle", "0", "connections that are open meanwhile and do nothing; 0,N alternates without and with them")
	f.IntVar(&o.threads, "threads", runtime.GOMAXPROCS(0), "threads of the load generator")
	f.DurationVar(&o.round, "round", 3*time.Second, "measured time of a round")
	f.DurationVar(&o.warmup, "warmup", 500*time.Millisecond, "time before it that does not count")
	f.DurationVar(&o.settle, "settle", time.Second, "time without requests before memory is read")
	f.StringVar(&o.baseline, "baseline", "constant", "targets that the others are compared with")
	f.StringVar(&o.json, "json", "", "file for the report, as compare reads it")
	f.StringVar(&o.markdown, "markdown", "", "file for the report as Markdown")
	f.StringVar(&o.plots, "plots", "", "directory for plots")
	return o
}

func (o *options) variant(text string) error {
	v, err := target.ParseVariant(text)
	o.variants = append(o.variants, v)
	return err
}

func (o *options) parse(args []string) error {
	if err := o.flags.Parse(args); err != nil {
		return err
	}
	if o.flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; see bench -help", o.flags.Arg(0))
	}
	return nil
}

func (o *options) config() (run.Config, error) {
	workers, err := numbers("workers", o.workers, 1)
	if err != nil {
		return run.Config{}, err
	}
	names := list(o.targets)
	for _, v := range o.variants {
		if !slices.ContainsFunc(names, func(name string) bool { return name == v.Target() || strings.HasPrefix(name, v.Target()+"/") }) {
			names = append(names, v.Target())
		}
	}
	if o.targets == "all" {
		names = nil
	}
	loads, err := o.loads()
	if err != nil {
		return run.Config{}, err
	}
	o.binaries.Region = regionFor(loads)
	o.binaries.Connections = o.idle
	for _, l := range loads {
		o.binaries.Connections = max(o.binaries.Connections, l.Connections+l.Beside)
	}
	targets, err := target.Named(target.All(o.binaries, workers, o.variants...), names)
	if err != nil {
		return run.Config{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return run.Config{}, err
	}
	return run.Config{
		Targets: targets, Loads: loads, Rounds: o.rounds, Starts: o.starts, Settle: o.settle, Idle: o.idle, Threads: o.threads,
		Generator: []string{self, generatorCommand}, Command: os.Args, Progress: os.Stderr,
	}, nil
}

// loads are all workloads at all numbers; sizes are of those that have values.
func (o *options) loads() (loads []result.Load, err error) {
	keys, err := numbers("keys", o.keys, 1)
	connections, more := numbers("connections", o.connections, 1)
	sizes, also := numbers("bytes", o.bytes, 1)
	besides, last := numbers("beside-idle", o.beside, 0)
	if err := errors.Join(err, more, also, last); err != nil {
		return nil, err
	}
	for _, workload := range list(o.workloads) {
		valued := workload == "get" || workload == "put"
		for _, n := range keys {
			for _, conns := range connections {
				for i, size := range sizes {
					if !valued {
						if size = 0; i > 0 {
							continue
						}
					}
					for _, beside := range besides {
						loads = append(loads, result.Load{
							Workload: workload, Keys: n, Bytes: size, Connections: conns, Beside: beside, Network: o.network,
							KeepAlive: !o.newConnections, Pipeline: o.pipeline, Rate: o.rate, Round: o.round, Warmup: o.warmup,
						})
					}
				}
			}
		}
	}
	return loads, nil
}

// regionFor is the size of a region that has room for every load, 0 where the
// default has: a key takes its value and some 100 bytes, and a region can be filled
// to three quarters.
func regionFor(loads []result.Load) (size int64) {
	const standard = 32 << 20
	for _, l := range loads {
		size = max(size, int64(l.Keys)*int64(l.Bytes+160)*2)
	}
	if size <= standard {
		return 0
	}
	return size + standard
}

func list(text string) (words []string) {
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			words = append(words, word)
		}
	}
	return words
}

func numbers(name, text string, least int) (all []int, err error) {
	for _, word := range list(text) {
		n, err := strconv.Atoi(word)
		if err != nil || n < least {
			return nil, fmt.Errorf("-%s: %q is not a whole number of %d or more", name, word, least)
		}
		all = append(all, n)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("-%s: no number; give one or more, separated by commas", name)
	}
	return all, nil
}
