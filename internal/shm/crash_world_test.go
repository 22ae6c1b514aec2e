//go:build crashpoints

package shm

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// cell is what a key holds, in the model.
type cell struct {
	integer bool
	n       int64
	bytes   string
	expiry  uint64 // ms of crashClock, 0 never
}

func (c cell) String() string {
	if c.integer {
		return fmt.Sprintf("%d until %d", c.n, c.expiry)
	}
	return fmt.Sprintf("%d bytes %.12q until %d", len(c.bytes), c.bytes, c.expiry)
}

// sameValue leaves out the time to live, which is no part of a version.
func (c cell) sameValue(o cell) bool {
	return c.integer == o.integer && c.n == o.n && c.bytes == o.bytes
}

// isFiller tells the keys that only take room.
func isFiller(key string) bool { return strings.HasPrefix(key, "~") }

func cellOf(it Item) cell {
	c := cell{integer: it.Integer, n: it.Int, bytes: string(it.Bytes)}
	if it.TTL > 0 {
		c.expiry = crashClock + uint64(it.TTL.Milliseconds())
	}
	return c
}

// crashClock is the clock of every region of these tests, in ms.
var crashClock uint64

const crashEpoch = 1000

// world is what a region holds, as a plain map: the model. The arguments are
// under the empty key. What has expired stays in it until it is written over.
type world struct {
	keys  map[string]cell
	clock uint64
}

func newWorld() world { return world{keys: map[string]cell{}, clock: crashEpoch} }

func (w world) clone() world { return world{keys: maps.Clone(w.keys), clock: w.clock} }

// get is what everybody sees.
func (w world) get(key string) (cell, bool) {
	c, ok := w.keys[key]
	return c, ok && (c.expiry == 0 || c.expiry > w.clock)
}

// moment is when something ends that lives for ms from now.
func (w world) moment(ms uint64) uint64 {
	if ms == 0 {
		return 0
	}
	return w.clock + ms
}

// look reads every key that a region shows. The bytes are in arena, until the
// next look.
func look(s *Store, arena *[]byte) (map[string]Item, error) {
	all := map[string]Item{}
	*arena = (*arena)[:0]
	read := func(key []byte) error {
		it, err := s.read((*arena)[len(*arena):], key)
		if it.Bytes != nil && cap(it.Bytes) == cap(*arena)-len(*arena) {
			*arena = (*arena)[:len(*arena)+len(it.Bytes)]
		}
		if err == nil {
			all[string(key)] = it
		}
		return err
	}
	if err := read(nil); err != nil && err != ErrNotFound {
		return nil, err
	}
	var cursor []byte
	for {
		keys, next, err := s.Scan(nil, nil, cursor, 1000)
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			if err := read(k.Key); err != nil {
				return nil, fmt.Errorf("%.16q was found by a scan: %w", k.Key, err)
			}
		}
		if next == nil {
			return all, nil
		}
		cursor = next
	}
}

// isOf compares without a copy of the bytes.
func (c cell) isOf(it Item) bool {
	short := Item{Value: Value{Integer: it.Integer, Int: it.Int}, TTL: it.TTL}
	is := cellOf(short)
	is.bytes = c.bytes
	return is == c && string(it.Bytes) == c.bytes
}

// differs compares what a region shows with the model; empty means equal. Keys
// for which gone is true may be there or not.
func (w world) differs(shown map[string]Item, gone func(string) bool) string {
	for _, key := range slices.Sorted(maps.Keys(w.keys)) {
		want, visible := w.get(key)
		it, ok := shown[key]
		switch {
		case visible && !ok && gone(key):
		case visible != ok:
			return fmt.Sprintf("%.16q is there: %v, want %v", key, ok, visible)
		case ok && !want.isOf(it):
			return fmt.Sprintf("%.16q is %v, want %v", key, cellOf(it), want)
		}
	}
	for key, it := range shown {
		if _, ok := w.keys[key]; !ok {
			return fmt.Sprintf("%.16q is %v, want none", key, cellOf(it))
		}
	}
	return ""
}

func never(string) bool { return false }

// ledger holds each version that a key was seen with, and its value then.
type ledger map[string]map[Version]cell

// note fails when a version comes again with another value.
func (l ledger) note(key string, v Version, c cell) error {
	if l[key] == nil {
		l[key] = map[Version]cell{}
	}
	if was, ok := l[key][v]; ok && !was.sameValue(c) {
		return fmt.Errorf("%.16q has version %s as %v and as %v", key, v.Append(nil), was, c)
	}
	l[key][v] = c
	return nil
}

func (l ledger) noteAll(shown map[string]Item) error {
	for key, it := range shown {
		if isFiller(key) {
			continue
		}
		if err := l.note(key, it.Version, cellOf(it)); err != nil {
			return err
		}
	}
	return nil
}

// fresh fails when a write was given a version that the key had before.
func (l ledger) fresh(key string, v Version) error {
	if was, ok := l[key][v]; ok {
		return fmt.Errorf("%.16q is given version %s, which it had as %v", key, v.Append(nil), was)
	}
	return nil
}

// text is n bytes that tell seed, offset and all bits of a byte.
func text(seed byte, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteByte(seed ^ byte(i*37) ^ byte(i>>5))
	}
	return b.String()
}
