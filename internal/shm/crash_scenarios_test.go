//go:build crashpoints

package shm

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// crashSeed makes hashes, and so the stores of a scenario, the same each run.
const crashSeed = 42

// world is what a region holds, as a plain map: the model.
type world struct {
	keys map[string]int64
	args string
}

func (w world) clone() world { return world{keys: maps.Clone(w.keys), args: w.args} }

// step is one operation with what it means.
type step struct {
	name  string
	do    func(*Store) error
	model func(*world)
}

// scenario is what a process does while it is killed at each of its stores:
// prepare by somebody who lives, then the steps.
type scenario struct {
	name    string
	prepare []step
	steps   []step
}

func set(key string, v int64) step {
	return step{
		name:  fmt.Sprintf("set %.8s=%d", key, v),
		do:    func(s *Store) error { _, err := s.Set([]byte(key), v); return err },
		model: func(w *world) { w.keys[key] = v },
	}
}

func preload(key string, v int64) step {
	st := set(key, v)
	st.do = func(s *Store) error { _, err := s.SetIfAbsent([]byte(key), v); return err }
	return st
}

func addTo(key string, by int64) step {
	return step{
		name:  fmt.Sprintf("add %.8s %+d", key, by),
		do:    func(s *Store) error { _, err := s.Add([]byte(key), by, 0); return err },
		model: func(w *world) { w.keys[key] += by },
	}
}

func take(key string) step {
	return step{
		name:  fmt.Sprintf("take %.8s", key),
		do:    func(s *Store) error { _, err := s.Take([]byte(key)); return err },
		model: func(w *world) { w.keys[key] = 0 },
	}
}

func del(key string) step {
	return step{
		name:  fmt.Sprintf("delete %.8s", key),
		do:    func(s *Store) error { _, err := s.Delete([]byte(key)); return err },
		model: func(w *world) { delete(w.keys, key) },
	}
}

func setArgs(text string) step {
	return step{
		name:  "args " + text,
		do:    func(s *Store) error { return s.SetArgs([]byte(text)) },
		model: func(w *world) { w.args = text },
	}
}

// colliding returns n keys of the given length that share a shard and bucket
// in a region of the crash tests' geometry.
func colliding(n, length int) []string {
	sb, err := crashGeometry.plan()
	if err != nil {
		panic(err)
	}
	by := map[[2]uint64][]string{}
	for i := 0; ; i++ {
		key := fmt.Sprintf("%0*d", length, i)
		var k target
		k.aim([]byte(key), crashSeed)
		at := [2]uint64{k.hash >> shardShift(sb.shards), k.bucket(int(sb.buckets))}
		if by[at] = append(by[at], key); len(by[at]) == n {
			return by[at]
		}
	}
}

var crashGeometry = Geometry{Size: MinSize, Slots: 4}

// filling sets enough keys of one length to leave `left` free items in the
// class's last slab.
func filling(length, left int) []step {
	perSlab := int(slabSize / entryClasses[classFor(length)])
	var out []step
	for i := range 2*perSlab - left {
		out = append(out, set(fmt.Sprintf("f%0*d", length-1, i), int64(i)))
	}
	return out
}

// emptySlab deletes the last keys of filling until their slab is given back,
// after it has given the slab before it room.
func emptySlab(length, left int) []step {
	perSlab := int(slabSize / entryClasses[classFor(length)])
	steps := []step{del(fmt.Sprintf("f%0*d", length-1, 0))}
	for i := perSlab; i < 2*perSlab-left+1; i++ {
		steps = append(steps, del(fmt.Sprintf("f%0*d", length-1, i)))
	}
	return steps
}

func crashScenarios() []scenario {
	c := colliding(3, 12)
	long := string(bytes.Repeat([]byte("k"), MaxKey))
	const wide = math.MaxInt64 - 10
	emptied := emptySlab(4, 32)
	return []scenario{
		{"first key", nil, []step{set("a", 1)}},
		{"add creates", nil, []step{addTo("a", 7)}},
		{"preload", []step{set("a", 1)}, []step{preload("b", 2)}},
		{"create wide", nil, []step{set("a", wide)}},
		{"longest key", nil, []step{set(long, 1), addTo(long, 1), del(long)}},
		{"add", []step{set("a", 5)}, []step{addTo("a", 1), addTo("a", -9)}},
		{"set, take", []step{set("a", 5)}, []step{set("a", 6), take("a")}},
		{"widen", []step{set("a", narrowMax)}, []step{addTo("a", 1), addTo("a", 1), addTo("a", -2)}},
		{"wide to wide", []step{set("a", wide)}, []step{addTo("a", 1), set("a", -wide), take("a")}},
		{"delete", []step{set("a", 5)}, []step{del("a")}},
		{"delete wide", []step{set("a", wide)}, []step{del("a")}},
		{"chain grows", []step{set(c[0], 1), set(c[1], 2)}, []step{set(c[2], 3)}},
		{"head of chain", []step{set(c[0], 1), set(c[1], 2), set(c[2], 3)}, []step{del(c[2])}},
		{"middle of chain", []step{set(c[0], 1), set(c[1], 2), set(c[2], 3)}, []step{del(c[1])}},
		{"end of chain", []step{set(c[0], 1), set(c[1], 2), set(c[2], 3)}, []step{del(c[0])}},
		{"recycled item", []step{set("a", 1), set("b", 2), del("a")}, []step{set("d", 4), del("b"), set("e", 5)}},
		{"delete and create", []step{set("a", 1)}, []step{del("a"), set("a", 2), del("a")}},
		{"slab becomes full", filling(4, 1), []step{set("last", 1)}},
		{"next slab", filling(4, 0), []step{set("next", 1), set("more", 2)}},
		{"full slab has room", filling(4, 0), []step{del("f000"), set("back", 1)}},
		{"two slabs have room", filling(4, 0), []step{del("f000"), del("f100"), del("f001"), set("b", 1), set("c", 2), set("d", 3)}},
		{"slab given back", append(filling(4, 31), emptied[:len(emptied)-1]...), append(emptied[len(emptied)-1:], set("x", 1))},
		{"slab of another class", append(filling(4, 31), emptied...), []step{set(long, 1), set(long[:100], 2), set("x", 3)}},
		{"slabs of long keys", filling(500, 1), []step{set(long, 1), set(long[:500], 2), del("f" + fmt.Sprintf("%0499d", 0))}},
		{"first arguments", nil, []step{setArgs(`{"a":1}`)}},
		{"arguments again", []step{setArgs(`{"a":1}`), setArgs(`{"b":"two"}`)}, []step{setArgs(`{"c":[3,3,3,3]}`), setArgs(`{}`)}},
		{"one after another", []step{set("a", 1)}, []step{set("b", 1), addTo("a", 1), del("a"), addTo("b", 1), del("b")}},
	}
}

// differs compares a region's content, in which Check counted entries, with
// the model; empty means equal.
func (w world) differs(s *Store, entries uint64) string {
	for _, key := range slices.Sorted(maps.Keys(w.keys)) {
		if v, err := s.Get([]byte(key)); err != nil || v != w.keys[key] {
			return fmt.Sprintf("%.16s is %d (%v), want %d", key, v, err, w.keys[key])
		}
	}
	if entries != uint64(len(w.keys)) {
		return fmt.Sprintf("%d entries, want %d", entries, len(w.keys))
	}
	args, err := s.Args(nil)
	if err != nil || string(args) != w.args {
		return fmt.Sprintf("arguments are %q (%v), want %q", args, err, w.args)
	}
	return ""
}

// run does the steps and tells how many were acknowledged.
func run(s *Store, steps []step) (done int, err error) {
	for _, st := range steps {
		if err := st.do(s); err != nil {
			return done, fmt.Errorf("%s: %w", st.name, err)
		}
		done++
	}
	return done, nil
}

// after is the model when n of the steps were done.
func (w world) after(steps []step, n int) world {
	w = w.clone()
	for _, st := range steps[:n] {
		st.model(&w)
	}
	return w
}

// addUnlocked adds 1 if that is possible without the lock: what a living
// process does while a dead one's change is half done.
func addUnlocked(s *Store, key string) error {
	var k target
	k.aim([]byte(key), s.seed)
	e, w, v := s.shardOf(&k).find(&k)
	if v != present || kindOf(w) != kindNarrow || !fitsNarrow(valueOf(w)+1) {
		return errors.New("not without the lock")
	}
	if !cas(&e.word, w, withValue(w, valueOf(w)+1)) {
		return errors.New("changed meanwhile")
	}
	return nil
}
