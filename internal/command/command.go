// Package command gives every command its meaning, once, whatever protocol it
// came by. An adapter (internal/httpapi) decodes a request, calls one method
// here and encodes what it returns.
//
// A command either happens whole or returns an error and changes nothing.
// Errors of the store are passed on as they are (package shm names them); this
// package adds those of the start-up arguments.
package command

import (
	"errors"
	"sync/atomic"

	"github.com/fondue-server/fondue/internal/shm"
)

// DefaultKey is the counter of requests that name none. It counts as present
// with the value 0 before it is first written.
const DefaultKey = "count"

// Commands are the commands of one process over one region. All methods may be
// called from many goroutines; none keeps a slice that it was given.
type Commands struct {
	region   *shm.Region
	store    *shm.Store
	pid      int
	draining atomic.Bool
}

// New binds the commands to a region and to this process's place in it. The
// caller keeps both, and closes them after the last command has returned.
func New(region *shm.Region, store *shm.Store, pid int) *Commands {
	return &Commands{region: region, store: store, pid: pid}
}

// Increment adds by to the counter and returns the sum. A missing counter is
// created at 0 first.
func (c *Commands) Increment(key []byte, by int64) (int64, error) {
	return c.store.Add(key, by, 0)
}

// IncrementKey is Increment for a counter that starts at init.
func (c *Commands) IncrementKey(key []byte, by, init int64) (int64, error) {
	return c.store.Add(key, by, init)
}

// Report is one counter as one process reads it.
type Report struct {
	Count   int64
	Present bool // false: no such key, and Count is 0
	PID     int  // of the process that answered
}

// Report reads a counter; a missing one is an answer, not an error.
func (c *Commands) Report(key []byte) (Report, error) {
	n, err := c.store.Get(key)
	switch {
	case err == nil:
		return Report{Count: n, Present: true, PID: c.pid}, nil
	case errors.Is(err, shm.ErrNotFound):
		return Report{Present: string(key) == DefaultKey, PID: c.pid}, nil
	default:
		return Report{}, err
	}
}

// Count reads a counter as a number and nothing else: one that nobody has
// written is 0. Report tells the two apart.
func (c *Commands) Count(key []byte) (int64, error) {
	r, err := c.Report(key)
	return r.Count, err
}

// Reset takes a counter's exact last value and leaves 0 in one step, so that
// no increment is in two results or in none. A missing counter had 0, and is
// not created.
func (c *Commands) Reset(key []byte) (previous int64, err error) {
	previous, err = c.store.Take(key)
	if errors.Is(err, shm.ErrNotFound) {
		return 0, nil
	}
	return previous, err
}

// GetKey reads a key; shm.ErrNotFound when there is none.
func (c *Commands) GetKey(key []byte) (int64, error) {
	return c.store.Get(key)
}

// PutKey stores a value. With ifAbsent a key that exists keeps its value, and
// ErrExists is returned.
func (c *Commands) PutKey(key []byte, value int64, ifAbsent bool) (created bool, err error) {
	if !ifAbsent {
		return c.store.Set(key, value)
	}
	created, err = c.store.SetIfAbsent(key, value)
	if err == nil && !created {
		return false, ErrExists
	}
	return created, err
}

// ErrExists: PutKey was to create the key, and it is there already.
var ErrExists = errors.New("key exists already")

// DeleteKey removes a key; shm.ErrNotFound when there is none.
func (c *Commands) DeleteKey(key []byte) error {
	_, err := c.store.Delete(key)
	return err
}
