// Package master runs the workers of one Fondue server: it opens the region and
// the listeners, starts a worker process for each slot, repairs the region
// after each death and starts a successor, and ends them all in good order.
//
// Everything that changes after the start belongs to one goroutine, the loop of
// Master.Run; there is no lock.
package master

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/fondue-server/fondue/internal/listen"
	"github.com/fondue-server/fondue/internal/shm"
)

// Config is what a Master is made of. It is read by New and not kept in sync
// with later changes.
type Config struct {
	Listen []listen.Spec
	Accept listen.Mode

	Workers    int
	MaxWorkers int // slots of a new region

	Region     string // path of the mapped file
	RegionSize int64  // bytes, of a new region
	Join       bool   // attach to a region that another master owns
	Fresh      bool   // set an existing region aside and start empty

	Preload []Preload // set where absent, in this order, before the first worker starts
	Args    []byte    // JSON; nil leaves what the region holds

	AccessLog string // "" off, "-" standard output, or a path
	LogFormat string // of the workers, see logging.New
	LogLevel  string
	Log       *slog.Logger // of the master itself

	ShutdownTimeout time.Duration
	PIDFile         string // "" none

	// MemoryLimit is what the server as a whole may use, in bytes; 0 = no limit.
	MemoryLimit int64
	Environ     []string // that the workers inherit, as os.Environ returns it
}

// Preload is a key that a server begins with.
type Preload struct {
	Key   string
	Value int64
}

// check refuses what contradicts itself, before anything is touched.
func (c *Config) check() error {
	switch {
	case len(c.Listen) == 0:
		return errors.New("no address to listen on")
	case c.Accept != listen.PerSlot && c.Accept != listen.Shared:
		return fmt.Errorf("accept mode %q is not known", c.Accept)
	case c.Workers < 1:
		return fmt.Errorf("workers must be 1 or more, not %d", c.Workers)
	case c.Workers > c.MaxWorkers:
		return fmt.Errorf("workers (%d) are more than the slots of a new region (%d); raise --max-workers", c.Workers, c.MaxWorkers)
	case c.Region == "":
		return errors.New("no path for the region")
	case c.Join && c.Fresh:
		return errors.New("--join takes the content of a running server and --fresh sets it aside; use one of them")
	case c.ShutdownTimeout < 0:
		return fmt.Errorf("shutdown timeout must not be negative, it is %v", c.ShutdownTimeout)
	case len(c.Args) > shm.MaxArgs:
		return fmt.Errorf("arguments have %d bytes; at most %d are shared: %w", len(c.Args), shm.MaxArgs, shm.ErrArgsTooLarge)
	case c.Log == nil:
		return errors.New("no log")
	}
	for _, p := range c.Preload {
		if key := p.Key; len(key) < 1 || len(key) > shm.MaxKey {
			return fmt.Errorf("preload: key %.40q has %d bytes: %w", key, len(key), shm.ErrKeyLength)
		}
	}
	return nil
}
