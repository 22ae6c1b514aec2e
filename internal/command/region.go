package command

import "github.com/fondue-server/fondue/internal/shm"

// Region is how a region is, and what this process does with it.
type Region struct {
	shm.Stats
	Slots    int   // for workers
	MaxValue int64 // bytes of a value, as this process allows
	Evict    bool  // this process evicts when there is no room
}

// Region measures the region.
func (c *Commands) Region() Region {
	return Region{
		Stats: c.region.Stats(), Slots: c.region.Info().Slots,
		MaxValue: c.policy.MaxValue, Evict: c.policy.Evict,
	}
}
