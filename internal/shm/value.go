package shm

import "time"

// Value is what a key holds: an integer, which can be added to, or bytes, which
// mean nothing to the store.
type Value struct {
	Integer bool
	Int     int64
	Bytes   []byte
}

// IntegerValue is the value of a counter.
func IntegerValue(n int64) Value { return Value{Integer: true, Int: n} }

// BytesValue is a value of bytes. The store copies them.
func BytesValue(b []byte) Value { return Value{Bytes: b} }

// Item is a key's value as it was at one moment.
type Item struct {
	Value
	Version Version
	TTL     time.Duration // left to live, at least 1 ms; 0: does not expire
}

// Effect is what a change did beside what was asked for.
type Effect struct {
	Created bool    // the key was absent, or had expired
	Version Version // of the key after the change
	Evicted int     // keys that were evicted to make room for it
}

// Put is one write of a value.
type Put struct {
	Value Value
	// TTL is the time to live from now, rounded up to milliseconds; 0 is for
	// ever. With KeepTTL a key that is there keeps its own, and TTL counts for
	// a new one only.
	TTL     time.Duration
	KeepTTL bool
	If      Condition
}

// Condition is what has to be true of a key for a change to happen. The zero
// Condition is always true. All parts that are set must hold.
type Condition struct {
	Present bool      // the key is there
	Absent  bool      // the key is not there
	Match   []Version // not nil: the key has one of these versions
	Not     []Version // the key has none of these versions
}

func (c *Condition) always() bool {
	return !c.Present && !c.Absent && c.Match == nil && c.Not == nil
}

// holds says whether a key that has version v, the zero one when it is absent,
// meets the condition.
func (c *Condition) holds(v Version) bool {
	present := v != (Version{})
	if c.Present && !present || c.Absent && present {
		return false
	}
	if c.Match != nil && !among(c.Match, v) {
		return false
	}
	return !among(c.Not, v)
}

func among(list []Version, v Version) bool {
	if v == (Version{}) {
		return false
	}
	for _, other := range list {
		if other == v {
			return true
		}
	}
	return false
}
