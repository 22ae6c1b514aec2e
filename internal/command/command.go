// Package command gives every command its meaning, once, whatever protocol it
// came by. An adapter (internal/httpapi) decodes a request, calls one method
// here and encodes what it returns.
//
// A command either happens whole or returns an error and changes nothing. It is
// one step for every other command of every process, with two exceptions:
// RemovePrefix is as many steps as it finds keys, and Batch as many as it has
// operations.
//
// Errors of the store are passed on as they are (package shm names them); this
// package adds those that it finds before the store is asked.
package command

import (
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
)

// Commands are the commands of one process over one region. All methods may be
// called from many goroutines; none keeps a slice that it was given.
type Commands struct {
	region   *shm.Region
	store    *shm.Store
	policy   shm.Policy
	pid      int
	draining *atomic.Bool // one for Brief, too

	turns    [turns]turn
	seed     maphash.Seed  // of the hash that tells a key's turn
	patience time.Duration // of a Patch
}

// New binds the commands to a region and to this process's place in it, and
// gives the store its policy. A MaxValue of 0 is as much as shm.DefaultMaxValue
// where so much fits. The caller keeps region and store, and closes them after
// the last command has returned.
func New(region *shm.Region, store *shm.Store, policy shm.Policy, pid int) *Commands {
	largest := region.Info().LargestValue
	if policy.MaxValue == 0 {
		policy.MaxValue = shm.DefaultMaxValue
	}
	policy.MaxValue = min(policy.MaxValue, largest)
	store.SetPolicy(policy)
	c := &Commands{
		region: region, store: store, policy: policy, pid: pid,
		draining: new(atomic.Bool), seed: maphash.MakeSeed(), patience: patchPatience,
	}
	for i := range c.turns {
		c.turns[i] = make(turn, 1)
	}
	return c
}

// Brief returns the same commands for somebody who has others waiting. One on a key
// that would have to wait for a lock, to make room or to copy a long value ends with
// shm.ErrBusy, shm.ErrLong or shm.ErrFull: it has changed and counted nothing then, and the
// commands themselves do it.
func (c *Commands) Brief() *Commands {
	b := *c
	b.store = c.store.Brief()
	return &b
}

// MaxValue is how many bytes a value may have.
func (c *Commands) MaxValue() int64 { return c.policy.MaxValue }
