package shm

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"pgregory.net/rapid"
)

// model is what a region has to look like: a map, a clock, and what each key
// was seen as before.
type model struct {
	keys map[string]kept
	now  uint64 // ms
	args string
	seen map[string]map[Version]string // value by key and version
	// late are keys that have expired, and that the region may hold still.
	late map[string]bool
}

// kept is what a key holds.
type kept struct {
	value   string // as show writes it
	integer bool
	n       int64
	bytes   string
	expiry  uint64 // ms, 0 for ever
	version Version
}

func show(v Value) string {
	if v.Integer {
		return fmt.Sprint("integer ", v.Int)
	}
	return "bytes " + string(v.Bytes)
}

func brief(value string) string {
	if len(value) > 40 {
		return fmt.Sprintf("%q... of %d bytes", value[:40], len(value))
	}
	return fmt.Sprintf("%q", value)
}

// get is what the key holds now.
func (m *model) get(key string) (h kept, there bool) {
	h, there = m.keys[key]
	if there && h.expiry != 0 && h.expiry <= m.now {
		delete(m.keys, key)
		m.late[key] = true
		return kept{}, false
	}
	return h, there
}

// live are the keys that have not expired.
func (m *model) live() (keys []string) {
	for key := range m.keys {
		if _, there := m.get(key); there {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func (m *model) moment(ttl time.Duration) uint64 {
	if ttl <= 0 {
		return 0
	}
	return m.now + uint64(math.Ceil(float64(ttl)/float64(time.Millisecond)))
}

// write is a value's being written under a version that was never seen.
func (m *model) write(t *rapid.T, key string, v Value, expiry uint64, version Version) {
	if _, used := m.seen[key][version]; used {
		t.Fatalf("version %+v of a key of %d bytes is used twice", version, len(key))
	}
	if v.Integer != (version.Generation != 0) || v.Integer && version.Value != v.Int || version.Entry == 0 {
		t.Fatalf("%s has version %+v", brief(show(v)), version)
	}
	delete(m.late, key)
	h := kept{value: show(v), integer: v.Integer, n: v.Int, bytes: string(v.Bytes), expiry: expiry, version: version}
	m.keys[key] = h
	if m.seen[key] == nil {
		m.seen[key] = map[Version]string{}
	}
	m.seen[key][version] = h.value
}

// remove takes a key that is there away.
func (m *model) remove(key string) { delete(m.keys, key) }

func (m *model) ttl(h kept) time.Duration {
	if h.expiry == 0 {
		return 0
	}
	return time.Duration(h.expiry-m.now) * time.Millisecond
}

// holds is Condition's meaning, in words of its own.
func holdsOf(c Condition, h kept, there bool) bool {
	if there && c.Absent || !there && c.Present {
		return false
	}
	if c.Match != nil && !(there && slices.Contains(c.Match, h.version)) {
		return false
	}
	return !(there && slices.Contains(c.Not, h.version))
}

// same wants an item to be what the key holds.
func (m *model) same(t *rapid.T, key string, h kept, it Item) {
	if it.Version != h.version || it.TTL != m.ttl(h) || it.Integer != h.integer || it.Int != h.n || string(it.Bytes) != h.bytes {
		t.Fatalf("a key of %d bytes holds %s, version %+v, for %v; want %s, %+v, %v", len(key),
			brief(show(it.Value)), it.Version, it.TTL, brief(h.value), h.version, m.ttl(h))
	}
}

func wantError(t *rapid.T, what string, err, want error) {
	if !errors.Is(err, want) || err != nil && want == nil {
		t.Fatalf("%s: %v, want %v", what, err, want)
	}
}

// Few keys, so that they meet: of every length at which the layout has an edge,
// and of one length with one beginning.
var machineKeys = func() (keys []string) {
	for _, n := range []int{1, 7, 8, 9, 15, 16, 17, 40, 41, 72, 73, 511, 512} {
		keys = append(keys, string(bytes.Repeat([]byte{'k'}, n)), string(bytes.Repeat([]byte{0}, n)))
	}
	for _, last := range []string{"\x00", "\x01", "\xff"} {
		keys = append(keys, string(bytes.Repeat([]byte{0xff}, 100))+last)
	}
	return keys
}()

var machineIntegers = []int64{
	0, 1, -1, narrowMax, narrowMax - 1, narrowMax + 1, narrowMin, narrowMin - 1, narrowMin + 1,
	math.MaxInt64, math.MaxInt64 - 1, math.MinInt64, math.MinInt64 + 1,
}

// edges are lengths at which a value takes another unit, or another extent.
var edges = func() (lengths []int) {
	const extent = maxExtent*unitSize - 8
	for _, n := range []int{0, 8, 24, 56, 88, extent - unitSize, extent, extent + 24, 2 * extent, 11 * extent, 64 << 10, 100<<10 - 1} {
		lengths = append(lengths, max(n-1, 0), n, n+1)
	}
	return lengths
}()

func drawKey(t *rapid.T) string { return rapid.SampledFrom(machineKeys).Draw(t, "key") }

func drawInteger(t *rapid.T) int64 {
	return rapid.OneOf(rapid.SampledFrom(machineIntegers), rapid.Int64Range(-9, 9)).Draw(t, "integer")
}

// drawBytes has each bit at the beginning of a line set, or none, or any.
func drawBytes(t *rapid.T, most int) []byte {
	n := min(most, rapid.OneOf(rapid.SampledFrom(edges), rapid.IntRange(0, 200), rapid.IntRange(0, 8<<10)).Draw(t, "length"))
	b := make([]byte, n)
	first, step := rapid.Byte().Draw(t, "first byte"), rapid.SampledFrom([]byte{0, 0, 1, 7, 53}).Draw(t, "step")
	for i := range b {
		b[i] = first + byte(i/8)*step
	}
	return b
}

func drawTTL(t *rapid.T) time.Duration {
	return rapid.SampledFrom([]time.Duration{0, 0, 0, -time.Second, 1, time.Millisecond, time.Millisecond + 1, 20 * time.Millisecond, time.Hour}).Draw(t, "ttl")
}

// drawCondition is often met, and has versions that the key had, that others
// have, and that nothing has.
func (m *model) drawCondition(t *rapid.T, key string) (c Condition) {
	h, _ := m.get(key)
	list := func(name string) (versions []Version) {
		versions = []Version{}
		for range rapid.IntRange(0, 3).Draw(t, name) {
			v := h.version // the zero one of a key that is absent
			switch rapid.IntRange(0, 5).Draw(t, "version") {
			case 0:
				v.Entry++
			case 1:
				v.Generation++
			case 2:
				v.Value++
			case 3:
				v = m.keys[drawKey(t)].version
			}
			versions = append(versions, v)
		}
		return versions
	}
	switch rapid.IntRange(0, 7).Draw(t, "condition") {
	case 0:
		c.Present = true
	case 1:
		c.Absent = true
	case 2:
		c.Match = list("match")
	case 3:
		c.Not = list("not")
	case 4:
		c = Condition{Present: rapid.Bool().Draw(t, "present"), Absent: rapid.Bool().Draw(t, "absent"), Match: list("match"), Not: list("not")}
	case 5:
		c.Match = []Version{h.version}
	}
	return c
}
