// Package load is the generator: it drives one server over its sockets, from a
// process of its own, so that its scheduler and garbage collector stay out of the
// clocks of whoever measures.
//
// It reads Settings as JSON from stdin. When the warm-up is over it writes a Mark,
// and goes on with the warm-up until it reads a line "go": what the server has
// used until then is read meanwhile, however late. When the measured time is over
// it writes another Mark, and then an Outcome, each a line of JSON. When its stdin
// ends before that, it stops early and still writes all three.
//
// A closed loop keeps every connection busy: it finds the capacity. An open loop
// sends at a fixed rate whatever the server does, and counts latency from when a
// request was due: a stall of the server makes all that were due in it slow.
package load

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fondue-server/fondue/bench/result"
)

// Settings are what the generator is told.
type Settings struct {
	Load    result.Load
	Address string // host:port, or the path of a Unix socket, as Load.Network says
	// Requests by their name: "increment", "report", "get", "put".
	Requests map[string]Request
	// Prepare makes every key before the warm-up, by an increment or a put.
	Prepare bool
	// Threads that share the connections, as far as there are so many.
	Threads int
	// Seed of the keys' order: the same seed, the same keys.
	Seed uint64
}

// Request is what is sent; %s in the path stands for the key.
type Request struct {
	Method string
	Path   string
}

// Mark is written before the measured time and after it.
type Mark struct {
	At time.Time
}

// Outcome is the generator's last line.
type Outcome struct {
	Round result.Round // without CPU, which is the server's
	// Acknowledged increments by number of the key, of all phases.
	Acknowledged []int64
	// Failed is the errors of all phases, and FirstError the text of one.
	Failed     int64
	FirstError string
	// HungUp is how many of the idle connections the server has ended.
	HungUp int
	// Stopped says that it ended early: Round is no measurement then.
	Stopped bool
}

// Key is the name of the n-th key. It needs no escaping in a path.
func Key(n int) string { return keyPrefix + strconv.Itoa(n) }

const keyPrefix = "bench"

// Workloads are the names that Load.Workload may have.
var Workloads = []string{"increment", "increment-uniform", "increment-zipf", "report", "mixed", "get", "put"}

// Needs are the names of the requests that a workload sends, preparation included.
func Needs(workload string) []string {
	switch workload {
	case "report", "mixed":
		return []string{"report", "increment"}
	case "get":
		return []string{"get", "put"}
	case "put":
		return []string{"put"}
	default:
		return []string{"increment"}
	}
}

// Counts says whether a workload acknowledges increments.
func Counts(workload string) bool { return slices.Contains(Needs(workload), "increment") }

// Check says what is wrong with a load.
func Check(l result.Load) error {
	values := l.Workload == "get" || l.Workload == "put"
	switch {
	case !slices.Contains(Workloads, l.Workload):
		return fmt.Errorf("no workload %q; there are %s", l.Workload, strings.Join(Workloads, ", "))
	case l.Keys < 1:
		return errors.New("a load needs 1 key or more")
	case l.Workload == "increment" && l.Keys != 1:
		return errors.New("increment is of one key; increment-uniform and increment-zipf take more")
	case values && l.Bytes < minValue:
		return fmt.Errorf("a value has %d bytes or more", minValue)
	case !values && l.Bytes != 0:
		return fmt.Errorf("%s has no values; leave their bytes out", l.Workload)
	case l.Connections < 1:
		return errors.New("a load needs 1 connection or more")
	case l.Beside < 0 || l.Beside > 0 && !l.KeepAlive:
		return errors.New("idle connections beside others are 0 or more, and need connections that are kept alive")
	case l.Network != "tcp" && l.Network != "unix":
		return fmt.Errorf("no network %q; there are tcp and unix", l.Network)
	case l.Pipeline < 1:
		return errors.New("the depth of a pipeline is 1 or more")
	case l.Pipeline > 1 && !l.KeepAlive:
		return errors.New("a pipeline needs connections that are kept alive")
	case l.Rate < 0 || l.Rate > maxRate:
		return fmt.Errorf("the rate of an open loop is up to %d requests a second, or 0 for a closed one", maxRate)
	case l.Round <= 0 || l.Warmup < 0:
		return errors.New("a round lasts longer than nothing, and its warm-up not less")
	}
	return nil
}

const (
	minValue = 2       // a JSON string's quotes
	maxRate  = 1000000 // where the pacer's own steps are no longer small beside the distance
)

func (s Settings) check() error {
	if err := Check(s.Load); err != nil {
		return err
	}
	for _, name := range Needs(s.Load.Workload) {
		r, ok := s.Requests[name]
		switch {
		case !ok:
			return fmt.Errorf("the workload %s needs a request for %s", s.Load.Workload, name)
		case r.Method == "" || !strings.HasPrefix(r.Path, "/"):
			return fmt.Errorf("request %s %q: a method and a path that begins with / are needed", r.Method, r.Path)
		case strings.Count(r.Path, "%s") > 1 || strings.Contains(r.Path, "%d"):
			return fmt.Errorf("path %q: write %%s once, where the key goes", r.Path)
		}
	}
	return nil
}
