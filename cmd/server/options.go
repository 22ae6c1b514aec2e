package main

import (
	"math"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/fondue-server/fondue/internal/listen"
	"github.com/fondue-server/fondue/internal/master"
	"github.com/fondue-server/fondue/internal/shm"
)

const (
	defaultListen     = "127.0.0.1:8000"
	defaultRegion     = "/dev/shm/fondue.region"
	defaultRegionSize = 32 << 20
	defaultMaxWorkers = 64
	defaultShutdown   = 30 * time.Second
	defaultHang       = 10 * time.Second
)

const serveHelp = `Fondue answers HTTP from many worker processes over one shared region: a counter or
a JSON object that one worker writes is what every other worker reads next.

Usage: fondue [serve] [flags]
       fondue status [--region PATH]       show live how the server and the region do
       fondue check [--region PATH]        verify a region without writing to it
       fondue dump [--region PATH] >FILE   write every key as a line of JSON
       fondue load [--region PATH] [FILE]  read such lines into a region
       fondue version

       fondue help COMMAND tells more about each of them.

Try:   fondue --workers 4
       curl "localhost:8000/increment?key=cnt"
       curl "localhost:8000/report?key=cnt"
       curl -X PUT -d '{"any":["JSON"]}' localhost:8000/v1/keys/object
`

const serveNotes = `
Each flag is also an environment variable, shown in brackets, and a key of the TOML file
of --config: workers = 4. The flag wins over the variable, and that over the file. A list
in FONDUE_LISTEN is separated by commas, and an empty variable counts as not set.
Sizes count in KiB, MiB, GiB or TiB (1024s) or in plain bytes.

Signals to the master: TERM or INT ends it gracefully, QUIT or a second INT at once;
HUP reads the file of --config again and replaces the workers one after the other; TTIN
and TTOU make one more or one less; USR1 opens the access log anew; USR2 starts the
program anew, which takes over.
Exit code 0: stopped as asked. 1: could not start or go on. 2: wrong flag or value.
`

// serveOptions holds what the flags of serve say.
type serveOptions struct {
	listen              []listen.Spec
	activated           []int // sockets that were passed to this process; not a flag
	passedBefore        bool  // some were to the master that this one follows; not a flag
	accept              string
	user                account
	group               int
	affinity            affinity
	schedPolicy, steer  string
	fastLane            string
	workers, maxWorkers int
	region              string
	regionSize          int64
	join, fresh         bool
	evict               string
	maxValue            int64
	preload             []master.Preload
	args                []byte
	accessLog, pidFile  string
	logFormat, logLevel string
	shutdownTimeout     time.Duration
	hangTimeout         time.Duration
	maxRequests         int
	maxWorkerMemory     int64

	file  string // of --config
	check bool
	// again: this is not the start but a reload or an upgrade.
	again bool
}

// newServeOptions returns the defaults. The runtime counts the CPUs that this
// process may use, by affinity and by the quota of its control group (rounded
// up, and not below two), as long as nothing has set GOMAXPROCS yet.
func newServeOptions() *serveOptions {
	return &serveOptions{
		listen:          []listen.Spec{{Network: listen.TCP, Addr: defaultListen}},
		accept:          string(listen.PerSlot),
		steer:           steerHash,
		fastLane:        laneOn,
		workers:         runtime.GOMAXPROCS(0),
		maxWorkers:      defaultMaxWorkers,
		region:          defaultRegion,
		regionSize:      defaultRegionSize,
		evict:           evictNone,
		logFormat:       "text",
		logLevel:        "info",
		shutdownTimeout: defaultShutdown,
		hangTimeout:     defaultHang,
	}
}

func (s *serveOptions) flags() *flagSet {
	return newFlagSet("serve",
		group{"Processes and listeners", []option{
			kept(repeated("listen", "ADDR", &s.listen, parseAddress, defaultListen,
				"host:port, [::1]:port or unix:/path; may be given several times. A socket that a service manager passes for the address is served instead of opening it; without this flag, all that it passes")),
			live(flag("workers", "N", &s.workers, parseCount(shm.MaxSlots), "the CPUs this process may use",
				"worker processes")),
			kept(maxWorkersOption(&s.maxWorkers)),
			kept(flag("accept", "MODE", &s.accept, parseChoice(string(listen.PerSlot), string(listen.Shared)), string(listen.PerSlot),
				"reuseport gives each worker a listener of its own; shared has one for all, which spreads few connections more evenly")),
			kept(flag("steer", "MODE", &s.steer, parseChoice(steerHash, steerCPU), steerHash,
				"which listener gets a new connection: hash spreads them by their addresses; cpu goes by the CPU that they arrive on, of which each worker has one, of --cpu-affinity or in turn")),
			live(flag("fast-lane", "on|off", &s.fastLane, parseChoice(laneOn, laneOff), laneOn,
				"on answers plain requests to the hot routes on an event loop of each worker; everything else, and off, goes through fasthttp")),
			live(flag("shutdown-timeout", "TIME", &s.shutdownTimeout, parseDuration, "30s",
				"how long a graceful stop waits for requests in flight")),
			live(flag("hang-timeout", "TIME", &s.hangTimeout, parseHang, "10s",
				"a worker that is silent for so long is ended and replaced; 0s never does")),
			live(flag("max-requests", "N", &s.maxRequests, parseCount(math.MaxInt32), "any number",
				"replace a worker when it has answered so many requests, or up to a quarter more")),
			live(flag("max-worker-memory", "SIZE", &s.maxWorkerMemory, parseWorkerMemory, "any",
				"replace a worker that has more memory of its own, without what is shared")),
			kept(flag("cpu-affinity", "auto|off|LIST", &s.affinity, parseAffinity, "off",
				"bind each worker to one CPU: auto takes those that this process may use in turn, a list such as 0,2,4-7 these")),
			kept(flag("sched-policy", "POLICY", &s.schedPolicy, parseChoice(string(master.SchedOther), string(master.SchedBatch)), "the master's",
				"how the kernel schedules the workers: other is what most processes have; under batch one that wakes waits for the turn of whoever runs, which saves switches and may cost latency")),
			kept(flag("user", "NAME|UID", &s.user, parseUser, "whoever starts it",
				"become this user once the listeners, the access log and the pid file are open; only root may")),
			kept(flag("group", "NAME|GID", &s.group, parseGroup, "the user's",
				"the group to become with --user")),
			kept(flag("pid-file", "FILE", &s.pidFile, parseText, "",
				"write the master's pid here")),
		}},
		group{"Region", []option{
			kept(regionOption(&s.region, "the mapped file; created with mode 0600 if it is not there")),
			kept(regionSizeOption(&s.regionSize,
				"size of a new region, reserved in full when it is created; a smaller one that is there grows to it")),
			kept(flag("join", "", &s.join, parseBool, "",
				"share the region of a server that runs already")),
			kept(flag("fresh", "", &s.fresh, parseBool, "",
				"set an existing region's file aside and start empty")),
			live(maxValueOption(&s.maxValue)),
			live(flag("evict", "MODE", &s.evict, parseChoice(evictNone, evictClock), evictNone,
				"what becomes of a write that needs room in a full region: none refuses it with 507, clock makes room by evicting keys that were not used lately")),
			content(s, "preload", "FILE", &s.preload, readPreload,
				"JSON object of keys and values; those that do not exist are set before the first worker starts"),
			object(content(s, "args", "JSON|@FILE", &s.args, parseArgs,
				"JSON object that /args serves to every worker's clients")),
		}},
		group{"Logs", []option{
			live(flag("access-log", "-|FILE", &s.accessLog, parseAccessLog, "off",
				"write a line for each request, with pid and slot, to standard output or a file")),
			kept(flag("log-format", "FORMAT", &s.logFormat, parseChoice("text", "json"), "text",
				"text or json, of the log on standard error")),
			live(flag("log-level", "LEVEL", &s.logLevel, parseChoice("debug", "info", "warn", "error"), "info",
				"debug, info, warn or error")),
		}},
		group{"Configuration", []option{
			flag("config", "FILE", &s.file, parseText, "",
				"TOML file of settings, by the names of these flags; HUP reads it again"),
			flag("check-config", "", &s.check, parseBool, "",
				"check the settings, from wherever they come, and do not serve"),
		}},
	)
}

// kept declares an option that the file of --config may hold.
func kept(o option) option {
	o.kept = true
	return o
}

// live declares one whose change counts on a reload, too.
func live(o option) option {
	o.live = true
	return kept(o)
}

func object(o option) option {
	o.object = true
	return o
}

// content declares an option whose value stands for what a server begins with.
// Later it only matters whether it is the same value: a file that it names may be
// gone by then.
func content[T any](s *serveOptions, name, arg string, target *T, parse func(string) (T, error), usage string) option {
	o := flag(name, arg, target, func(text string) (none T, _ error) {
		if s.again {
			return none, nil
		}
		return parse(text)
	}, "", usage)
	o.now = func() any { return o.value.String() }
	return kept(o)
}

// Modes of --steer.
const (
	steerHash = "hash"
	steerCPU  = "cpu"
)

// Values of --fast-lane.
const (
	laneOn  = "on"
	laneOff = "off"
)

// Modes of --evict.
const (
	evictNone  = "none"
	evictClock = "clock"
)

func regionOption(path *string, usage string) option {
	return flag("region", "PATH", path, parseText, defaultRegion, usage)
}

func regionSizeOption(size *int64, usage string) option {
	return flag("region-size", "SIZE", size, parseRegionSize, "32MiB", usage)
}

func maxWorkersOption(n *int) option {
	return flag("max-workers", "N", n, parseCount(shm.MaxSlots), "64",
		"workers that a new region has room for, over all servers that join it")
}

func maxValueOption(size *int64) option {
	return flag("max-value", "SIZE", size, parseMaxValue, "1MiB, or what fits a small region",
		"the largest value that is accepted, 1KiB to 64MiB; a new region is made to hold it, and each process that shares a region has a limit of its own")
}

// config settles what depends on more than one flag. origins tells where a value
// is from; a default has none.
func (s *serveOptions) config(origins map[string]string) (master.Config, error) {
	if s.join && s.fresh {
		return master.Config{}, usagef("--join takes the content of a running server and --fresh sets it aside; give one of them")
	}
	addresses := s.listen // which stay as they are: a reload compares with them
	if (len(s.activated) > 0 || s.passedBefore) && origins["listen"] == "" {
		addresses = nil // what was passed is what is wanted
	}
	if twice, ok := givenTwice(addresses); ok {
		return master.Config{}, usagef("%s: %s is given twice", origins["listen"], twice)
	}
	if s.workers > s.maxWorkers {
		if from := origins["workers"]; from != "" {
			return master.Config{}, usagef("%s: %d are more than --max-workers %d; give --max-workers %d",
				from, s.workers, s.maxWorkers, s.workers)
		}
		s.workers = s.maxWorkers
	}
	identity, err := s.identity(origins["group"] != "")
	if err != nil {
		return master.Config{}, err
	}
	cpus, err := s.affinity.settle()
	if err != nil {
		return master.Config{}, err
	}
	return master.Config{
		Settings: master.Settings{
			Workers: s.workers, FastLane: s.fastLane == laneOn, Evict: s.evict == evictClock, MaxValue: s.maxValue,
			AccessLog: s.accessLog, LogLevel: s.logLevel,
			ShutdownTimeout: s.shutdownTimeout, HangTimeout: s.hangTimeout,
			MaxRequests: uint64(s.maxRequests), MaxWorkerMemory: s.maxWorkerMemory,
		},
		Listen: addresses, Activated: s.activated, Accept: listen.Mode(s.accept), SteerByCPU: s.steer == steerCPU, MaxWorkers: s.maxWorkers,
		Region: s.region, RegionSize: s.regionSize, Grow: origins["region-size"] != "", Join: s.join, Fresh: s.fresh,
		Preload: s.preload, Args: s.args,
		LogFormat: s.logFormat, MemoryLimit: memoryLimit(), PIDFile: s.pidFile,
		User: identity, CPUs: cpus, SchedPolicy: master.SchedPolicy(s.schedPolicy),
	}, nil
}

// memoryLimit is what the server as a whole may use, in bytes: GOMEMLIMIT as
// the runtime has read it, else the control group's limit, else 0. The master
// divides it among the workers.
func memoryLimit() int64 {
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		return limit
	}
	// Version 1 groups without a limit show a number near the largest there is.
	if limit, ok := shm.MemoryLimit(); ok && limit < math.MaxInt64/2 {
		return int64(limit)
	}
	return 0
}
