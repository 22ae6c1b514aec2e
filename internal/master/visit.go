package master

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
)

// VisitConfig is how a command that does not serve comes into a region.
type VisitConfig struct {
	Region   string // path of the mapped file
	Join     bool   // beside a running master, and only so
	InUse    string // what to do about a region that a master owns, for the error
	MaxValue int64  // see Config

	RegionSize int64 // bytes, of a new region
	MaxWorkers int   // slots of a new region
}

// Visit is a stay in a region without serving it. It counts as a master there:
// no server starts meanwhile but with --join.
type Visit struct {
	Store *shm.Store
	// MaxValue is the most bytes that a value may have.
	MaxValue int64

	tenancy *tenancy
	leaving chan struct{}
	swept   chan struct{} // closed when the sweep has ended
}

// Enter visits a region that is open; it is closed with the visit, or on an
// error. What a killed server left is recovered, as at a start.
func (c VisitConfig) Enter(region *shm.Region) (*Visit, error) {
	t, err := c.settler().existing(region)
	if errors.Is(err, errMoved) {
		return nil, fmt.Errorf("region %s: %w; try again", c.Region, err)
	}
	if err != nil {
		return nil, err
	}
	return c.visit(t), nil
}

// Create visits a new region at the path.
func (c VisitConfig) Create() (*Visit, error) {
	t, err := c.settler().create(nil)
	if errors.Is(err, shm.ErrExists) {
		return nil, fmt.Errorf("region %w; another process was faster, try again", err)
	}
	if err != nil {
		return nil, err
	}
	return c.visit(t), nil
}

func (c VisitConfig) settler() *settler {
	return &settler{
		cfg: &Config{
			Region: c.Region, RegionSize: c.RegionSize, MaxWorkers: c.MaxWorkers, Join: c.Join,
			Settings: Settings{MaxValue: c.MaxValue},
		},
		log: slog.New(slog.DiscardHandler),
		pause: func(d time.Duration) error {
			time.Sleep(d)
			return nil
		},
		inUse: c.InUse,
		small: "name a --region that is not there yet, which is made to hold them",
	}
}

func (c VisitConfig) visit(t *tenancy) *Visit {
	v := &Visit{
		Store: t.store, MaxValue: c.MaxValue,
		tenancy: t, leaving: make(chan struct{}), swept: make(chan struct{}),
	}
	if v.MaxValue == 0 {
		v.MaxValue = min(shm.DefaultMaxValue, t.region.Info().LargestValue)
	}
	go v.sweep() // ends with the visit
	return v
}

// sweep does for this process what every master does: with the others killed,
// nobody else would free the locks that their workers died with. An error is
// left to the next start, which meets it again and says so.
func (v *Visit) sweep() {
	defer close(v.swept)
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-v.leaving:
			return
		case <-tick.C:
			_, _ = v.Store.Sweep()
		}
	}
}

// Leave ends the visit.
func (v *Visit) Leave() error {
	close(v.leaving)
	<-v.swept
	return v.tenancy.leave()
}

// Undo ends the visit as if it had not been: a region that it made is removed.
func (v *Visit) Undo() error {
	close(v.leaving)
	<-v.swept
	return v.tenancy.undo()
}
