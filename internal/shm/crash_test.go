//go:build crashpoints

package shm

import (
	"fmt"
	"testing"
)

type died struct{}

// killAt makes the n-th store from now, counted from 1, the one that the
// process does not live to do, nor any later one. n = 0 only counts.
func killAt(n int, do func()) (stores int, dead bool) {
	crashHook = func() {
		if stores++; n > 0 && stores >= n {
			panic(died{})
		}
	}
	defer func() {
		crashHook = nil
		if p := recover(); p != nil {
			if _, ok := p.(died); !ok {
				panic(p)
			}
			dead = true
		}
	}()
	do()
	return stores, false
}

// crashRegion is a heap region with reproducible hashes and two processes: the
// victim, and a master who recovers.
func crashRegion(t *testing.T) (master, victim *Store) {
	t.Helper()
	r, err := NewHeap(crashGeometry)
	if err != nil {
		t.Fatal(err)
	}
	r.sb.hashSeed = crashSeed
	return attached(t, r)
}

// trial kills the victim of a scenario at store n, and whoever recovers it at
// stores of the recoveries, and says what is wrong in the end.
type trial struct {
	n        int
	recovery []int // store at which the first, second, ... recoverer dies
}

// run returns how many stores the victim's steps and the last recovery have.
func (tr trial) run(t *testing.T, sc scenario) (stores, recovered int, err error) {
	master, victim := crashRegion(t)
	before := world{keys: map[string]int64{}}
	if _, err := run(master, sc.prepare); err != nil {
		t.Fatalf("prepare: %v", err)
	}
	before = before.after(sc.prepare, len(sc.prepare))

	done := 0
	stores, dead := killAt(tr.n, func() {
		for _, st := range sc.steps {
			if err := st.do(victim); err != nil {
				t.Fatalf("%s: %v", st.name, err)
			}
			done++
		}
	})
	if !dead && tr.n > 0 {
		return stores, 0, fmt.Errorf("the victim lived through store %d", tr.n)
	}

	// A living process adds without the lock where it can, before anybody
	// recovers anything: none of these adds may be lost.
	other := newWorker(t, master.region, master)
	added := map[string]int64{}
	for key := range before.keys {
		if addUnlocked(other, key) == nil {
			added[key]++
		}
	}

	dyingIDs := []ID{victim.id}
	recoverer := master
	for _, at := range tr.recovery {
		_, dead := killAt(at, func() { err = recoverThem(recoverer, dyingIDs) })
		if err != nil {
			return stores, 0, err
		}
		if !dead {
			break
		}
		dyingIDs = append(dyingIDs, recoverer.id)
		next, _, err := master.region.AttachMaster(true)
		if err != nil {
			t.Fatal(err)
		}
		recoverer = next
	}
	recovered, _ = killAt(0, func() { err = recoverThem(recoverer, dyingIDs) })
	if err != nil {
		return stores, recovered, err
	}
	return stores, recovered, tr.verify(recoverer, sc, before, done, added)
}

func recoverThem(s *Store, dead []ID) error {
	for _, id := range dead {
		if _, err := s.Recover(id); err != nil {
			return err
		}
	}
	return nil
}

func (tr trial) verify(s *Store, sc scenario, before world, done int, added map[string]int64) error {
	report := s.region.Check()
	if !report.OK() {
		return fmt.Errorf("check: %v", report.Violations)
	}
	if len(report.Pending) > 0 {
		return fmt.Errorf("unfinished: %v", report.Pending)
	}
	// Acknowledged steps have happened; the one in flight has, or has not. An
	// add made meanwhile is in every key that was not deleted, taken or set
	// over by the step in flight.
	var why string
	for _, n := range []int{done, min(done+1, len(sc.steps))} {
		want := before.after(sc.steps, n)
		for key, n := range added {
			if _, ok := want.keys[key]; ok {
				want.keys[key] += n
			}
		}
		if why = want.differs(s, report.Entries); why == "" {
			return tr.goesOn(s, want)
		}
	}
	return fmt.Errorf("after %d acknowledged steps: neither the state before nor after the next: %s", done, why)
}

// goesOn uses the region as anybody would, to see that nothing is stuck.
func (tr trial) goesOn(s *Store, want world) error {
	var steps []step
	for key := range want.keys {
		steps = append(steps, addTo(key, 1))
	}
	for i := range 70 {
		steps = append(steps, set(fmt.Sprintf("new%d", i), int64(i)))
	}
	for i := 0; i < 70; i += 2 {
		steps = append(steps, del(fmt.Sprintf("new%d", i)))
	}
	steps = append(steps, setArgs(`{"goes":"on"}`))
	if _, err := run(s, steps); err != nil {
		return err
	}
	report := s.region.Check()
	if !report.OK() {
		return fmt.Errorf("check after going on: %v", report.Violations)
	}
	if why := want.after(steps, len(steps)).differs(s, report.Entries); why != "" {
		return fmt.Errorf("after going on: %s", why)
	}
	return nil
}

// TestCrashPoints kills a process at every store of every operation, and its
// recoverer at every store of the recovery, and that one's recoverer too.
func TestCrashPoints(t *testing.T) {
	points, nested := 0, 0
	for _, sc := range crashScenarios() {
		t.Run(sc.name, func(t *testing.T) {
			p, n := enumerate(t, sc, func(tr trial, err error) {
				t.Errorf("killed at store %d, recoverers at %v: %v", tr.n, tr.recovery, err)
			})
			points, nested = points+p, nested+n
		})
	}
	t.Logf("%d crash points, %d crashes inside recovery", points, nested)
}

// enumerate runs every trial of a scenario.
func enumerate(t *testing.T, sc scenario, failed func(trial, error)) (points, nested int) {
	check := func(tr trial) (recovered int) {
		_, recovered, err := tr.run(t, sc)
		if err != nil {
			failed(tr, err)
		}
		return recovered
	}
	stores, _, err := trial{}.run(t, sc)
	if err != nil {
		failed(trial{}, err)
	}
	for n := 1; n <= stores; n++ {
		points++
		recovered := check(trial{n: n})
		for m := 1; m <= recovered; m++ {
			nested++
			again := check(trial{n: n, recovery: []int{m}})
			if testing.Short() && (n+m)%8 != 0 {
				continue
			}
			// The second recovery's own deaths: the first, the middle, the
			// last, and a moving one.
			for _, k := range []int{1, again / 2, again, 1 + (n*31+m*17)%max(again, 1)} {
				if k > 0 {
					nested++
					check(trial{n: n, recovery: []int{m, k}})
				}
			}
		}
	}
	return points, nested
}
