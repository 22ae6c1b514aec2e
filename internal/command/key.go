package command

import (
	"errors"
	"slices"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
)

// ErrUnchanged: whoever reads the key has asked not to be told what it knows:
// the version is one of Condition.Not, or Condition.Absent was asked for.
var ErrUnchanged = errors.New("the key is as the caller knows it")

// Get reads a key. The value of one that holds bytes is appended to dst and is
// Item.Bytes. Errors: shm.ErrNotFound; shm.ErrCondition when the key is not
// there or not of the version that has to be; ErrUnchanged, with which the Item
// is whole.
func (c *Commands) Get(dst, key []byte, cond Condition) (item Item, err error) {
	item, err = c.store.Read(dst, key)
	if err != nil && !errors.Is(err, shm.ErrNotFound) {
		return item, err
	}
	c.store.CountLookup(err == nil)
	switch {
	case isNone(&cond): // most reads: nothing to compare
		return item, err
	case !holds(Condition{Present: cond.Present, Match: cond.Match}, item.Version):
		return Item{}, shm.ErrCondition
	case !holds(Condition{Absent: cond.Absent, Not: cond.Not}, item.Version):
		return item, ErrUnchanged
	}
	return item, err
}

func isNone(cond *Condition) bool {
	return !cond.Present && !cond.Absent && cond.Match == nil && cond.Not == nil
}

// holds says whether a condition is true of a key that has version v, the zero
// one when it is absent.
func holds(cond Condition, v Version) bool {
	present := v != (Version{})
	switch {
	case cond.Present && !present, cond.Absent && present:
		return false
	case cond.Match != nil && !(present && slices.Contains(cond.Match, v)):
		return false
	}
	return !(present && slices.Contains(cond.Not, v))
}

// Put stores a value, to live for ttl, or for ever when that is 0: a ttl that
// the key had is gone.
func (c *Commands) Put(key []byte, value Value, ttl time.Duration, cond Condition) (Effect, error) {
	return c.store.Put(key, shm.Put{Value: value, TTL: ttl, If: cond})
}

// Remove removes a key; shm.ErrNotFound when there is none.
func (c *Commands) Remove(key []byte, cond Condition) error {
	return c.store.Remove(key, cond)
}

// Scan appends up to limit keys that begin with prefix to dst, from a cursor
// that an earlier Scan returned, or from the beginning when it is empty. A key
// that is there from the beginning of the walk to its end is returned once or
// more. Fewer keys than limit, or none, may come with a next cursor; at the end
// of the walk there is none.
func (c *Commands) Scan(dst []Key, prefix, cursor []byte, limit int) (keys []Key, next []byte, err error) {
	keys, next = dst, cursor
	for start := time.Now(); ; {
		keys, next, err = c.store.Scan(keys, prefix, next, limit-(len(keys)-len(dst)))
		if err != nil || next == nil || len(keys)-len(dst) >= limit || time.Since(start) > scanPatience {
			return keys, next, err
		}
	}
}

// scanPatience is how long a Scan looks for keys that are rare.
const scanPatience = 10 * time.Millisecond

// RemovePrefix removes all keys that begin with prefix, all that there are when
// it is empty, and returns how many. Keys that are written meanwhile may stay.
func (c *Commands) RemovePrefix(prefix []byte) (int, error) {
	return c.store.RemovePrefix(prefix)
}

// Sweep reclaims the room of expired keys for at most limit, and returns how
// many it found.
func (c *Commands) Sweep(limit time.Duration) int { return c.store.SweepExpired(limit) }
