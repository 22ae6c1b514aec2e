// Package master runs the workers of one Fondue server: it opens the region and
// the listeners, starts a worker process for each slot, repairs the region
// after each death and starts a successor, and ends them all in good order.
//
// Everything that changes after the start belongs to one goroutine, the loop of
// Master.Run; there is no lock.
package master

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/listen"
	"github.com/fondue-server/fondue/internal/shm"
)

// Config is what a Master is made of. It is read by New and not kept in sync
// with later changes, other than by Reread.
type Config struct {
	Settings
	// Reread reads the settings again for a reload, and names those that differ
	// from the ones the server was started with and count at a start only. It is
	// called from the loop of Master.Run; nil: settings never change.
	Reread func() (now Settings, fixed []string, err error)

	Listen []listen.Spec
	Accept listen.Mode
	// Activated are listening sockets that were passed to this process, to be
	// served in the place of the addresses of Listen that they are bound to; with
	// none in Listen, as they are.
	Activated []int
	// SteerByCPU has new connections go by the CPU that they arrive on, where an
	// address has a socket for each seat.
	SteerByCPU bool

	MaxWorkers int // slots of a new region

	Region     string // path of the mapped file
	RegionSize int64  // bytes, of a new region
	Grow       bool   // a smaller region that is there is copied into one of RegionSize
	Join       bool   // attach to a region that another master owns
	Fresh      bool   // set an existing region aside and start empty

	Preload []Preload // set where absent, in this order, before the first worker starts
	Args    []byte    // JSON; nil leaves what the region holds

	LogFormat string         // of the workers, see logging.New
	Log       *slog.Logger   // of the master itself
	Level     *slog.LevelVar // of Log, which follows LogLevel; nil: it never changes

	PIDFile string // "" none
	Version string // of the program, for the log; "" unknown

	User *Identity // to become once the listeners are open; nil: stay who we are
	CPUs []int     // seat i is bound to CPUs[i], and around again; nil: to none

	SchedPolicy SchedPolicy // of the workers

	// MemoryLimit is what the server as a whole may use, in bytes; 0 = no limit.
	MemoryLimit int64
	Environ     []string // that the workers inherit, as os.Environ returns it

	// Command is the path of the program and its arguments, as an upgrade starts
	// it anew.
	Command []string
	Upgrade *handoff.Upgrade // what a master has handed over to this one; nil: a start
}

// Preload is a key that a server begins with.
type Preload struct {
	Key   string
	Value shm.Value
}

func (c *Config) preloaded() iter.Seq2[[]byte, shm.Value] {
	return func(yield func([]byte, shm.Value) bool) {
		for _, p := range c.Preload {
			if !yield([]byte(p.Key), p.Value) {
				return
			}
		}
	}
}

func (c *Config) policy() shm.Policy { return shm.Policy{Evict: c.Evict, MaxValue: c.MaxValue} }

// errNotSteerable: there is nothing that SteerByCPU could choose among.
var errNotSteerable = errors.New("--steer cpu: it is for TCP addresses of --listen; a Unix socket, and any that is passed in, is one for all workers")

// check refuses what contradicts itself, before anything is touched.
func (c *Config) check() error {
	switch {
	case len(c.Listen) == 0 && len(c.Activated) == 0 && (c.Upgrade == nil || !c.Upgrade.HasKept()):
		return errors.New("no address to listen on")
	case c.Accept != listen.PerSlot && c.Accept != listen.Shared:
		return fmt.Errorf("accept mode %q is not known", c.Accept)
	case c.SteerByCPU && c.Accept == listen.Shared:
		return errors.New("--steer cpu: with --accept shared there is one socket for all workers, and nothing to choose; leave one of the two out")
	case c.SteerByCPU && !slices.ContainsFunc(c.Listen, func(s listen.Spec) bool { return s.Network == listen.TCP }):
		return errNotSteerable
	case c.Workers < 1:
		return fmt.Errorf("workers must be 1 or more, not %d", c.Workers)
	case c.Workers > c.MaxWorkers:
		return fmt.Errorf("workers (%d) are more than the slots of a new region (%d); raise --max-workers", c.Workers, c.MaxWorkers)
	case c.Region == "":
		return errors.New("no path for the region")
	case c.Join && c.Fresh:
		return errors.New("--join takes the content of a running server and --fresh sets it aside; use one of them")
	case c.HangTimeout < 0:
		return fmt.Errorf("hang timeout must not be negative, it is %v", c.HangTimeout)
	case c.ShutdownTimeout < 0:
		return fmt.Errorf("shutdown timeout must not be negative, it is %v", c.ShutdownTimeout)
	case c.MaxValue < 0 || c.MaxValue > shm.MaxMaxValue:
		return fmt.Errorf("--max-value: %d bytes; give 1KiB to %dMiB", c.MaxValue, shm.MaxMaxValue>>20)
	case c.Log == nil:
		return errors.New("no log")
	}
	for _, p := range c.Preload {
		if key := p.Key; len(key) < 1 || len(key) > shm.MaxKey {
			return fmt.Errorf("--preload: key %.40q has %d bytes: %w", key, len(key), shm.ErrKeyLength)
		}
	}
	limit := cmp.Or(c.MaxValue, shm.DefaultMaxValue)
	return c.checkSizes(limit, fmt.Sprintf("values may have %d; raise --max-value", limit))
}

// checkSizes refuses what is longer than a value may be; advice says how long
// that is, and what to do.
func (c *Config) checkSizes(limit int64, advice string) error {
	for _, p := range c.Preload {
		if n := len(p.Value.Bytes); int64(n) > limit {
			return fmt.Errorf("--preload: key %.40q: %w: %d bytes; %s", p.Key, shm.ErrValueTooLarge, n, advice)
		}
	}
	if n := len(c.Args); int64(n) > limit {
		return fmt.Errorf("--args: %w: %d bytes; %s", shm.ErrValueTooLarge, n, advice)
	}
	return nil
}
