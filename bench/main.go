// Command bench measures fondue over its sockets: HTTP increments against a
// constant-body server in alternation, the memory of a worker at rest, and the
// time from exec to the first answer. It prints Go benchmark lines, which
// benchstat reads, and a summary after them. `make bench` runs it.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"runtime"
	"time"

	"github.com/fondue-server/fondue/bench/load"
)

type config struct {
	fondue, constant string
	workers          int
	connections      int
	keys             int
	rounds           int
	round, warmup    time.Duration
	starts           int
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	if len(os.Args) == 2 && os.Args[1] == "load" {
		if err := load.Run(os.Stdin, os.Stdout); err != nil {
			log.Fatal(err)
		}
		return
	}
	var c config
	flag.StringVar(&c.fondue, "fondue", "bin/fondue", "the server to measure")
	flag.StringVar(&c.constant, "constant", "bin/constant", "the server to measure against")
	flag.IntVar(&c.workers, "workers", runtime.GOMAXPROCS(0), "worker processes of each server")
	flag.IntVar(&c.connections, "connections", 64, "keep-alive connections")
	flag.IntVar(&c.keys, "keys", 1, "keys that the increments are spread over")
	flag.IntVar(&c.rounds, "rounds", 9, "rounds of each server, in alternation")
	flag.DurationVar(&c.round, "round", 3*time.Second, "measured time of a round")
	flag.DurationVar(&c.warmup, "warmup", 500*time.Millisecond, "time before it that does not count")
	flag.IntVar(&c.starts, "starts", 21, "starts to measure")
	target := flag.String("load", "", "internal: generate load against this address")
	paths := flag.String("path", "", "internal: path of the request, with %d for the key")
	flag.Parse()
	var err error
	if *target != "" {
		err = generate(*target, *paths, c)
	} else {
		err = measure(c)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func measure(c config) error {
	// Servers are ended by the deferred calls below, also after Ctrl-C.
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	dir, err := os.MkdirTemp(regionHome(), "fondue-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	printMachine(c)
	if err := measureStart(c, dir, interrupted); err != nil {
		return err
	}
	if err := measureMemory(c, dir); err != nil {
		return err
	}
	return measureHTTP(c, dir, interrupted)
}

// regionHome is where the server keeps its region by default, for the same
// page sizes and no disk behind.
func regionHome() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}

func printMachine(c config) {
	fmt.Printf("goos: %s\ngoarch: %s\npkg: github.com/fondue-server/fondue/bench\ncpu: %s\n", runtime.GOOS, runtime.GOARCH, cpuModel())
	fmt.Printf("# %d CPUs, Linux %s, %s; %d workers, %d connections, %d keys, %d rounds of %v\n",
		runtime.NumCPU(), kernelRelease(), runtime.Version(), c.workers, c.connections, c.keys, c.rounds, c.round)
}
