//go:build crashpoints

package shm

import (
	"slices"
	"testing"
)

// counts of what an enumeration has done.
type counts struct{ points, nested int }

// throughout are the scenarios in which a full run lets the recovery die at
// each of its stores, not only in each of its phases.
var throughout = []string{"middle of chain", "end of chain again", "generation comes round, add", "life changed"}

// everyStore is up to how many stores a scenario of short runs is killed at
// each of; of longer ones at the first, the last and some between.
const everyStore = 24

// storesOf picks the stores to die at.
func (st *stage) storesOf(all bool) (at []int) {
	for n := 1; n <= st.stores; n++ {
		if all || n <= everyStore/2 || n > st.stores-everyStore/2 || n%(1+st.stores/everyStore) == 0 {
			at = append(at, n)
		}
	}
	return at
}

// deathsOf picks stores that a recovery of so many dies at. There are some at
// the edges of each of its phases and some anywhere; each store n that the
// victim dies at goes on with the next few of them.
func (st *stage) deathsOf(recovered, n int, all bool) (at []int) {
	if all && slices.Contains(throughout, st.sc.name) {
		for m := 1; m <= recovered; m++ {
			at = append(at, m)
		}
		return at
	}
	words := 0
	for i := range st.region.shards {
		words += len(st.region.shards[i].bitmap)
	}
	edges := []int{1, 2, words - 1, words, words + 1, words + 2, words + 3, words + 4}
	for i := range 12 { // words, counts, seq, the lock, wake-ups, the slot
		edges = append(edges, recovered-i)
	}
	edges = append(edges, 1+n*7919%recovered, 1+n*104729%recovered, words+(recovered-words)/2)
	each := 2
	if all {
		each = 5
	}
	for i := range each {
		if m := edges[(n*each+i)%len(edges)]; m >= 1 && m <= recovered {
			at = append(at, m)
		}
	}
	return at
}

// enumerate runs every trial of a scenario.
func (st *stage) enumerate(tr trial, all bool, failed func(trial, error)) (c counts) {
	check := func(n int, recovery ...int) (recovered int) {
		tr := tr
		tr.n, tr.recovery = n, recovery
		recovered, err := st.run(tr)
		if err != nil {
			failed(tr, err)
		}
		return recovered
	}
	for _, n := range st.storesOf(all) {
		c.points++
		recovered := check(n)
		if recovered == 0 {
			continue
		}
		for i, m := range st.deathsOf(recovered, n, all) {
			c.nested++
			again := check(n, m)
			if again > 0 && (i+n)%8 == 0 {
				c.nested++
				check(n, m, 1+(n*31+m*17)%again)
			}
		}
	}
	return c
}

// TestCrashPoints kills a process at every store of every operation, and its
// recoverer in each phase of the recovery, and that one's recoverer too.
func TestCrashPoints(t *testing.T) {
	scenarios, random := crashScenarios(), uint64(40)
	if testing.Short() {
		random = 4
	}
	for seed := range random {
		scenarios = append(scenarios, randomScenario(seed))
	}
	for _, name := range throughout {
		if !slices.ContainsFunc(scenarios, func(sc scenario) bool { return sc.name == name }) {
			t.Errorf("there is no scenario %q", name)
		}
	}
	var sum counts
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			st := newStage(t, sc)
			c := st.enumerate(trial{}, !testing.Short(), func(tr trial, err error) {
				t.Errorf("killed at store %d, recoverers at %v: %v", tr.n, tr.recovery, err)
			})
			t.Logf("%d stores, %d crash points, %d in recovery", st.stores, c.points, c.nested)
			sum.points, sum.nested = sum.points+c.points, sum.nested+c.nested
		})
	}
	t.Logf("%d crash points, %d crashes inside recovery", sum.points, sum.nested)
	if !testing.Short() && sum.points < 10000 {
		t.Errorf("%d crash points, at least 10000 are promised", sum.points)
	}
}
