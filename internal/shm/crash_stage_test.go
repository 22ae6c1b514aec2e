//go:build crashpoints

package shm

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
)

// crashSeed makes hashes, and so the stores of a scenario, the same each run.
const crashSeed = 42

var crashGeometry = Geometry{Size: MinSize, Slots: 4}

// scenario is what a process does while it is killed at each of its stores:
// prepare by somebody who lives, then the steps.
type scenario struct {
	name    string
	prepare func(*builder)
	steps   []step
}

// builder makes the region that a scenario begins with.
type builder struct {
	s     *Store
	world world
	err   error
}

func (b *builder) do(steps ...step) {
	for _, st := range steps {
		if b.err == nil {
			b.err = st.run(b.s)
			st.model(&b.world)
		}
	}
}

// prepared is a scenario's beginning of steps alone.
func prepared(steps ...step) func(*builder) { return func(b *builder) { b.do(steps...) } }

// fill writes values of the given sizes for as long as there is room. Fillers
// are not watched: their keys sort last.
func (b *builder) fill(life uint64, sizes ...int) {
	for i, size := range sizes {
		for n := 0; ; n++ {
			st := putFor(fmt.Sprintf("~f%d.%d", i, n), bytesCell(text(byte(n), size)), life)
			err := st.do(b.s)
			if errors.Is(err, ErrFull) {
				break
			}
			if b.err = errors.Join(b.err, err); err != nil {
				return
			}
			st.model(&b.world)
		}
	}
}

const smallValue = 24 // bytes: a unit of its own

func (b *builder) smalls(n int) {
	for i := range n {
		b.do(putBytes(fmt.Sprintf("~s%03d", i), text(byte(i), smallValue)))
	}
}

// fragment removes every other one of n small values from a full region, and
// fills what is free in longer runs: no value that comes finds two lines in a row.
func (b *builder) fragment(n int) {
	for i := 0; i < n; i += 2 {
		b.do(remove(fmt.Sprintf("~s%03d", i)))
	}
	for i := 0; b.err == nil; i++ {
		run := longestRun(b.s)
		if run < 2*lineUnits {
			return
		}
		b.do(putBytes(fmt.Sprintf("~v%d", i), text(byte(i), min(run, maxExtent)*unitSize-8)))
	}
}

func longestRun(s *Store) (longest int) {
	for i := range s.region.shards {
		run := 0
		for unit := range s.region.shards[i].unitsN {
			if run++; s.region.shards[i].inUse(unit, 1) {
				run = 0
			}
			longest = max(longest, run)
		}
	}
	return longest
}

// stage is a region on the heap as a scenario begins, which comes back for each
// trial.
type stage struct {
	t      *testing.T
	sc     scenario
	region *Region
	words  []uint64 // of the region
	world  world
	ids    [3]ID // master, victim, another worker
	lost   [][]string
	given  []map[string]Version // when so many steps were done
	watch  []string
	arena  []byte
	stores int // of all steps
}

func newStage(t *testing.T, sc scenario) *stage {
	t.Helper()
	r, err := NewHeap(crashGeometry)
	if err != nil {
		t.Fatal(err)
	}
	r.sb.hashSeed = crashSeed
	r.clock = func() uint64 { return crashClock }
	master, victim := attached(t, r)
	other := newWorker(t, r, master)
	st := &stage{arena: make([]byte, 0, crashGeometry.Size), t: t, sc: sc, region: r, ids: [3]ID{master.id, victim.id, other.id}}
	st.world = build(t, master, sc)
	st.words = slices.Clone(r.heap)
	st.reference()
	return st
}

// build prepares the region of a master who lives.
func build(t *testing.T, master *Store, sc scenario) world {
	t.Helper()
	crashClock = crashEpoch
	master.region.setHands(0) // everybody's: they come to the same memory
	b := builder{s: master, world: newWorld()}
	if sc.prepare != nil {
		sc.prepare(&b)
	}
	if b.err != nil {
		t.Fatalf("prepare: %v", b.err)
	}
	for i := range master.region.shards {
		// A hold is timed and stored if it is the longest yet: once, as no
		// clock says how often.
		master.region.shards[i].header.longestHold.Store(1<<64 - 1)
	}
	return b.world
}

// reset makes the region and its processes as they were at the beginning.
func (st *stage) reset() (master, victim, other *Store) {
	copy(st.region.heap, st.words)
	crashClock = st.world.clock
	st.region.setHands(0)
	return newStore(st.region, st.ids[0], nil), newStore(st.region, st.ids[1], nil), newStore(st.region, st.ids[2], nil)
}

// reference runs the steps without a death: they must be what the model says.
// What bulk steps remove beyond that is taken from here.
func (st *stage) reference() {
	st.t.Helper()
	_, victim, _ := st.reset()
	st.lost = make([][]string, len(st.sc.steps))
	for i, sp := range st.sc.steps {
		before := st.after(i)
		stores, _ := killAt(0, func() {
			if err := sp.run(victim); err != nil {
				st.t.Fatal(err)
			}
		})
		if st.stores += stores; stores < sp.least {
			st.t.Fatalf("%s: %d stores, at least %d are wanted", sp.name, stores, sp.least)
		}
		shown, err := look(victim, &st.arena)
		if err != nil {
			st.t.Fatal(err)
		}
		if sp.bulk {
			for key := range before.keys {
				_, was := before.get(key)
				if _, is := shown[key]; was && !is {
					st.lost[i] = append(st.lost[i], key)
				}
			}
			if len(st.lost[i]) == 0 {
				st.t.Fatalf("%s: nothing was removed", sp.name)
			}
		}
		if why := st.after(i+1).differs(shown, never); why != "" {
			st.t.Fatalf("%s: %s", sp.name, why)
		}
	}
	if report := st.region.Check(); !report.OK() || len(report.Pending) > 0 {
		st.t.Fatalf("check: %v %v", report.Violations, report.Pending)
	}
	st.watch = watched(st.world, st.after(len(st.sc.steps)))
	for n := range len(st.sc.steps) + 1 {
		st.given = append(st.given, st.versionsAfter(n))
	}
}

// versionsAfter are those that the keys have when n steps were done.
func (st *stage) versionsAfter(n int) map[string]Version {
	st.t.Helper()
	_, victim, _ := st.reset()
	for _, sp := range st.sc.steps[:n] {
		if err := sp.run(victim); err != nil {
			st.t.Fatal(err)
		}
	}
	shown, err := look(victim, &st.arena)
	if err != nil {
		st.t.Fatal(err)
	}
	versions := map[string]Version{}
	for key, it := range shown {
		versions[key] = st.region.relative(it.Version)
	}
	return versions
}

// relative is a version as it is in every region, whenever that was created.
func (r *Region) relative(v Version) Version {
	if v.Generation > 0 {
		v.Generation = 1 + (v.Generation-1-uint32(v.Entry))&genMask
	}
	v.Entry -= uint64(r.sb.createdAt)
	return v
}

// after is the model when n steps were done.
func (st *stage) after(n int) world {
	w := st.world.clone()
	for i, sp := range st.sc.steps[:n] {
		sp.model(&w)
		for _, key := range st.lost[i] {
			delete(w.keys, key)
		}
	}
	return w
}

// mayGo says which keys step n removes each on its own.
func (st *stage) mayGo(n int) func(string) bool {
	if n >= len(st.lost) {
		return never
	}
	return func(key string) bool { return slices.Contains(st.lost[n], key) }
}

const watchedKeys = 12

// watched are the keys that onlookers are at: of those there before and those
// that come, the first.
func watched(worlds ...world) (keys []string) {
	for _, w := range worlds {
		of := slices.DeleteFunc(slices.Sorted(maps.Keys(w.keys)), func(key string) bool {
			return isFiller(key) || slices.Contains(keys, key)
		})
		keys = append(keys, of[:min(len(of), watchedKeys)]...)
	}
	return keys
}
