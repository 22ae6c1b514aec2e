package command

import (
	"errors"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
)

// DefaultKey is the counter of requests that name none. It counts as present
// with the value 0 before it is first written.
const DefaultKey = "count"

// Increment adds by to the counter and returns the sum. A missing counter is
// created at init first, to live for ttl, or for ever when that is 0; the ttl
// of one that is there stays.
func (c *Commands) Increment(key []byte, by, init int64, ttl time.Duration) (int64, Effect, error) {
	return c.store.Increment(key, by, init, ttl)
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
		c.store.CountLookup(true)
		return Report{Count: n, Present: true, PID: c.pid}, nil
	case errors.Is(err, shm.ErrNotFound):
		c.store.CountLookup(false)
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
