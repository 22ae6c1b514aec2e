// Package result is what a run of the benchmark has found, as it is kept in JSON.
// Whoever measures fills it in; tables, pages and plots are made of it alone.
package result

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"
)

// Version changes when an older reader would misread a newer report.
const Version = 1

// Report is one run.
type Report struct {
	Version  int               `json:"version"`
	Date     time.Time         `json:"date"`
	Command  []string          `json:"command"` // of the benchmark itself
	Machine  Machine           `json:"machine"`
	Versions map[string]string `json:"versions"` // by program: fondue, go, nginx, redis, python, ...
	Targets  []Target          `json:"targets"`
	Cells    []Cell            `json:"cells"`
	Skipped  []Skipped         `json:"skipped,omitempty"`
}

// Machine is where it ran.
type Machine struct {
	CPU    string `json:"cpu"` // model, as /proc/cpuinfo has it
	CPUs   int    `json:"cpus"`
	Memory int64  `json:"memory"` // bytes
	Kernel string `json:"kernel"`
	OS     string `json:"os"`
}

// Target is a server that was measured.
type Target struct {
	Name    string   `json:"name"`
	Title   string   `json:"title"`   // for people: "FastAPI, a Manager dict, gunicorn --preload"
	Command []string `json:"command"` // that started it
	Workers int      `json:"workers"`
	// Exact says whether the design promises to lose no increment.
	Exact bool `json:"exact"`
	// Start is from exec to the first answer, nanoseconds, once for each start.
	Start []int64 `json:"start"`
	// Memory is the PSS of the process tree in bytes, at rest and after the load.
	MemoryAtRest    int64 `json:"memory_at_rest"`
	MemoryAfterLoad int64 `json:"memory_after_load"`
	// MemoryIdle is the PSS with that many connections that have had an answer and
	// do nothing. Both are 0 where it was not read.
	MemoryIdle      int64 `json:"memory_idle,omitempty"`
	IdleConnections int   `json:"idle_connections,omitempty"`
	// Anonymous is the part of either that is no file's: heap, stacks, and what an
	// allocator keeps. It is the most that the heap can be.
	AnonymousAtRest int64 `json:"anonymous_at_rest,omitempty"`
	AnonymousIdle   int64 `json:"anonymous_idle,omitempty"`
}

// IdleMemory is what an idle connection takes of the PSS, in bytes; NaN where it was
// not read. What the first requests take once and for all is in it.
func (t Target) IdleMemory() float64 {
	if t.IdleConnections == 0 || t.MemoryAtRest == 0 {
		return math.NaN()
	}
	return float64(t.MemoryIdle-t.MemoryAtRest) / float64(t.IdleConnections)
}

// IdleAnonymous is the same of the anonymous part.
func (t Target) IdleAnonymous() float64 {
	if t.IdleConnections == 0 || t.AnonymousAtRest == 0 {
		return math.NaN()
	}
	return float64(t.AnonymousIdle-t.AnonymousAtRest) / float64(t.IdleConnections)
}

// Skipped is a target that could not run here.
type Skipped struct {
	Name   string `json:"name"`
	Reason string `json:"reason"` // what is missing, and what to install
}

// Load says how a cell was loaded.
type Load struct {
	Workload    string        `json:"workload"` // "increment", "increment-uniform", "increment-zipf", "report", "mixed", "get", "put"
	Keys        int           `json:"keys"`
	Bytes       int           `json:"bytes,omitempty"` // of a value
	Connections int           `json:"connections"`
	Beside      int           `json:"beside,omitempty"` // idle connections that are open meanwhile
	Network     string        `json:"network"`          // "tcp" or "unix"
	KeepAlive   bool          `json:"keep_alive"`       // false: a connection for each request
	Pipeline    int           `json:"pipeline"`         // requests on the way in one connection, 1 and more
	Rate        float64       `json:"rate,omitempty"`   // requests a second of an open loop; 0: a closed one
	Round       time.Duration `json:"round"`            // nanoseconds, measured time of a round
	Warmup      time.Duration `json:"warmup"`           // nanoseconds before it
}

// Name tells loads apart, for people and for comparison of two reports.
func (l Load) Name() string {
	name := fmt.Sprintf("%s/keys=%d/conns=%d", l.Workload, l.Keys, l.Connections)
	if l.Bytes > 0 {
		name += fmt.Sprintf("/bytes=%d", l.Bytes)
	}
	if !l.KeepAlive {
		name += "/new-connections"
	}
	if l.Pipeline > 1 {
		name += fmt.Sprintf("/pipeline=%d", l.Pipeline)
	}
	if l.Beside > 0 {
		name += fmt.Sprintf("/beside-idle=%d", l.Beside)
	}
	if l.Network != "tcp" {
		name += "/" + l.Network
	}
	if l.Rate > 0 {
		name += fmt.Sprintf("/rate=%g", l.Rate)
	}
	return name
}

// Cell is one target under one load. The rounds of all targets of a load were run
// in alternation: the n-th rounds of two targets are a pair.
type Cell struct {
	Target string  `json:"target"` // Target.Name
	Load   Load    `json:"load"`
	Rounds []Round `json:"rounds"`
	// Increments over all rounds and warm-ups: acknowledged to a client, and what
	// the counters have become. Both 0 where the workload counts nothing.
	Acknowledged int64 `json:"acknowledged"`
	Counted      int64 `json:"counted"`
}

// Lost is how many acknowledged increments are missing; negative: counted beyond.
func (c Cell) Lost() int64 { return c.Acknowledged - c.Counted }

// Round is one measurement.
type Round struct {
	Requests int64         `json:"requests"` // answered within Elapsed
	Errors   int64         `json:"errors"`   // refused, broken, or not 2xx
	Elapsed  time.Duration `json:"elapsed"`  // nanoseconds
	User     time.Duration `json:"user"`     // CPU of the server's process tree, nanoseconds
	System   time.Duration `json:"system"`
	// Waited is how long the threads of the tree were ready and had no CPU; 0: not known.
	Waited time.Duration `json:"waited,omitempty"`
	// Generator is the CPU of the load generator, which the server does not get where
	// both share the CPUs; 0: not known.
	Generator time.Duration `json:"generator,omitempty"`
	// Latency from when a request was sent, or in an open loop from when it was due.
	Latency Latency `json:"latency"`
}

// Rate is requests a second.
func (r Round) Rate() float64 { return float64(r.Requests) / r.Elapsed.Seconds() }

// CPU is nanoseconds of the server's CPU for a request.
func (r Round) CPU() float64 { return float64(r.User+r.System) / float64(r.Requests) }

// Latency is percentiles in nanoseconds.
type Latency struct {
	P50  int64 `json:"p50"`
	P90  int64 `json:"p90"`
	P99  int64 `json:"p99"`
	P999 int64 `json:"p999"`
	Max  int64 `json:"max"`
	// Histogram is an HDR histogram in its own compressed form (base64).
	Histogram string `json:"histogram,omitempty"`
}

// Write writes the report as JSON.
func (r *Report) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// Read reads one.
func Read(from io.Reader) (*Report, error) {
	var r Report
	if err := json.NewDecoder(from).Decode(&r); err != nil {
		return nil, fmt.Errorf("not a report: %w", err)
	}
	if r.Version != Version {
		return nil, fmt.Errorf("report of version %d, this program reads %d", r.Version, Version)
	}
	return &r, nil
}
