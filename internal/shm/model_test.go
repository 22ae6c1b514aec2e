package shm

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"testing"
)

// start is the region with every worker attached and about to begin.
func (m *lockModel) start() modelState {
	s := modelState{crashes: uint8(m.crashes)}
	workers := uint8(len(m.programs))
	for i := range workers {
		p := &s.procs[modelMasters+i]
		*p = modelProcess{slot: i}
		m.operate(p)
		s.control[i] = modelControl{0, phaseLive}
		s.owner[i] = modelName(workers, 0)
		s.bytes[i] = modelMasters + i + 1
	}
	for i := range uint8(m.masters) {
		s.procs[i] = modelProcess{pc: atIdleMaster, slot: workers + i}
		s.control[workers+i] = modelControl{0, phaseLive}
		s.bytes[workers+i] = i + 1
	}
	return s
}

// broken says which promise a state breaks, "" for none.
func (m *lockModel) broken(s *modelState) string {
	for i := range s.procs {
		p := &s.procs[i]
		if p.pc >= atLocked && p.pc <= atSurrenderSwap && s.lock&^waiters != p.name() {
			return fmt.Sprintf("the lock was taken from %s, which may still run", m.title(s, uint8(i)))
		}
	}
	if s.lock != 0 {
		c := s.control[modelSlotOf(s.lock)]
		if c.gen != s.lock>>4 || c.phase == phaseFree {
			return fmt.Sprintf("the lock names slot %d generation %d, which was freed", modelSlotOf(s.lock), s.lock>>4)
		}
	}
	if s.corrupt {
		return "recovery met a record that does not match its checksum"
	}
	if s.seq&1 == 1 {
		return ""
	}
	if s.link == 1 && (s.word&modelLive == 0 || s.word&15 != s.sum) {
		return fmt.Sprintf("the counter is %d and should be %d: a replay undid an add", s.word&15, s.sum)
	}
	if s.record != 0 && s.lock != 0 {
		return ""
	}
	if s.link != s.count {
		return "half a change is visible"
	}
	if s.link != s.want {
		return "a committed change is lost"
	}
	return ""
}

// stuck says what is unfinished in a state where nobody can go on.
func (m *lockModel) stuck(s *modelState) string {
	for i := range s.procs {
		if p := &s.procs[i]; p.alive() && p.pc != atIdleWorker && p.pc != atIdleMaster {
			return fmt.Sprintf("deadlock: %s is asleep or waits for ever", m.title(s, uint8(i)))
		}
	}
	if s.lock != 0 || s.record != 0 && !m.stateKept || s.seq&1 != 0 {
		return "at the end the lock is not free, or its work not finished"
	}
	for i := range m.programs {
		if s.control[i].phase != phaseLive || s.bytes[i] == 0 {
			return fmt.Sprintf("at the end slot %d has no worker", i)
		}
	}
	return ""
}

func (m *lockModel) title(s *modelState, who uint8) string {
	p := &s.procs[who]
	if who < modelMasters {
		return fmt.Sprintf("master %d.%d", p.slot, p.gen)
	}
	return fmt.Sprintf("worker %d.%d", p.slot, p.gen)
}

// modelStates is a set of states, numbered in the order in which they came.
// A map would hold each of them twice.
type modelStates struct {
	seed   maphash.Seed
	chunks [][]modelState
	count  int32
	table  []int32 // by hash: number+1
}

const modelChunk = 1 << 12

func (v *modelStates) at(i int32) *modelState { return &v.chunks[i/modelChunk][i%modelChunk] }

// add returns the number of s, and whether it is new.
func (v *modelStates) add(s *modelState) (int32, bool) {
	if int(v.count)*3 >= len(v.table)*2 {
		v.table = make([]int32, max(2*len(v.table), 1<<12))
		for i := range v.count {
			v.table[v.find(v.at(i))] = i + 1
		}
	}
	slot := v.find(s)
	if known := v.table[slot]; known != 0 {
		return known - 1, false
	}
	if v.count%modelChunk == 0 {
		v.chunks = append(v.chunks, make([]modelState, modelChunk))
	}
	*v.at(v.count) = *s
	v.count++
	v.table[slot] = v.count
	return v.count - 1, true
}

// find is the place of s in the table, or the empty one where it belongs.
func (v *modelStates) find(s *modelState) uint64 {
	mask := uint64(len(v.table) - 1)
	at := maphash.Comparable(v.seed, *s) & mask
	for v.table[at] != 0 && *v.at(v.table[at] - 1) != *s {
		at = (at + 1) & mask
	}
	return at
}

// explore visits every reachable state, nearest first. It returns how many
// there are, or the shortest way to one that breaks a promise.
func (m *lockModel) explore() (states int, bad string, trace []string) {
	seen := modelStates{seed: maphash.MakeSeed()}
	from := []int32{-1}
	var edges [][2]int32
	fail := func(at int32, why string) (int, string, []string) {
		for ; from[at] >= 0; at = from[at] {
			trace = append(trace, m.step(seen.at(from[at]), seen.at(at)))
		}
		slices.Reverse(trace)
		return int(seen.count), why, trace
	}
	first := m.start()
	seen.add(&first)
	var next []modelMove
	for at := int32(0); at < seen.count; at++ {
		next = m.moves(seen.at(at), next[:0])
		ended := true
		for i := range next {
			ended = ended && next[i].free
		}
		if ended {
			if why := m.stuck(seen.at(at)); why != "" {
				return fail(at, why)
			}
		}
		for i := range next {
			to, isNew := seen.add(&next[i].next)
			edges = append(edges, [2]int32{at, to})
			if !isNew {
				continue
			}
			from = append(from, at)
			if why := m.broken(&next[i].next); why != "" {
				return fail(to, why)
			}
		}
	}
	if at := modelLoop(int(seen.count), edges); at >= 0 {
		return fail(at, "a run may go on for ever from here")
	}
	return int(seen.count), "", nil
}

// modelLoop finds a node that leads back to itself or follows one that does,
// -1 if there is none. Edges are sorted by where they start.
func modelLoop(nodes int, edges [][2]int32) int32 {
	first, enters := make([]int32, nodes+1), make([]int32, nodes)
	for _, e := range edges {
		first[e[0]+1]++
		enters[e[1]]++
	}
	for i := range nodes {
		first[i+1] += first[i]
	}
	var ready []int32
	for i, n := range enters {
		if n == 0 {
			ready = append(ready, int32(i))
		}
	}
	for len(ready) > 0 {
		at := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		for _, e := range edges[first[at]:first[at+1]] {
			if enters[e[1]]--; enters[e[1]] == 0 {
				ready = append(ready, e[1])
			}
		}
	}
	for i, n := range enters {
		if n > 0 {
			return int32(i)
		}
	}
	return -1
}

// step names the move between two states.
func (m *lockModel) step(from, to *modelState) string {
	for _, mv := range m.moves(from, nil) {
		if mv.next == *to {
			return m.title(from, mv.who) + " " + mv.what
		}
	}
	return "?"
}

// modelCases are the arrangements that the protocol is explored in.
var modelCases = []struct {
	name  string
	short bool
	lockModel
}{
	{"three workers, one death", true, lockModel{programs: []string{"A", "D", "A"}, masters: 1, crashes: 1}},
	{"two workers, two deaths", true, lockModel{programs: []string{"AD", "AD"}, masters: 1, crashes: 2}},
	{"two masters, one death", true, lockModel{programs: []string{"A", "D"}, masters: 2, mortal: true, crashes: 1}},
	{"successive masters, three deaths", true, lockModel{programs: []string{"A"}, masters: 1, mortal: true, crashes: 3}},
	{"three workers, two deaths", false, lockModel{programs: []string{"A", "D", "A"}, masters: 1, crashes: 2}},
	{"add and delete beside two adds", false, lockModel{programs: []string{"AD", "A", "A"}, masters: 1, crashes: 1, fillFirst: true}},
	{"two masters, two deaths", false, lockModel{programs: []string{"A", "D"}, masters: 2, mortal: true, crashes: 2}},
	{"successive masters, two workers", false, lockModel{programs: []string{"A", "A"}, masters: 1, mortal: true, crashes: 2}},
}

// TestModel explores every order of steps and deaths of the protocol.
func TestModel(t *testing.T) {
	for _, c := range modelCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && !c.short {
				t.Skip("the larger arrangements are left out")
			}
			states, bad, trace := c.explore()
			if bad != "" {
				t.Fatalf("%s, after\n\t%s", bad, strings.Join(trace, "\n\t"))
			}
			t.Logf("%d states", states)
		})
	}
}

// TestModelFindsFlaws proves that the exploration can fail: each mistake breaks
// the promise that it should.
func TestModelFindsFlaws(t *testing.T) {
	two := lockModel{programs: []string{"A", "D"}, masters: 1, crashes: 1}
	three := lockModel{programs: []string{"A", "A", "D"}, masters: 1, crashes: 1}
	joined := lockModel{programs: []string{"A", "D"}, masters: 2, mortal: true, crashes: 2}
	filled := lockModel{programs: []string{"A", "A", "D"}, masters: 1, crashes: 1, fillFirst: true}
	successive := lockModel{programs: []string{"A"}, masters: 1, mortal: true, crashes: 2}
	for _, c := range []struct {
		name string
		lockModel
		modelFlaws
		want string // "" for a change that does no harm
	}{
		{"respawn before recovery", two, modelFlaws{respawnFirst: true}, "the lock was taken from"},
		{"slot freed before recovery", two, modelFlaws{freeFirst: true}, "which was freed"},
		{"recovery of a process that still runs", two, modelFlaws{steal: true}, "the lock was taken from"},
		{"recovery without waking", two, modelFlaws{noWakeAll: true}, "deadlock"},
		{"release that loads and stores", two, modelFlaws{looseRelease: true}, "deadlock"},
		{"waiting without a look at the word", two, modelFlaws{blindWait: true}, "deadlock"},
		{"waiters bit forgotten after a sleep", three, modelFlaws{forgetWaiters: true}, "deadlock"},
		{"seq even before state 0", three, modelFlaws{seqFirst: true}, "a replay undid an add"},
		{"change without a commit", two, modelFlaws{noIntent: true}, "half a change is visible"},
		{"recovery without a replay", two, modelFlaws{noReplay: true}, "a committed change is lost"},
		{"state kept by recovery", joined, modelFlaws{stateKept: true}, "does not match its checksum"},
		{"generation moved on before a master's repair", successive, modelFlaws{bumpFirst: true}, "which was freed"},
		{"sweep without the byte lock", joined, modelFlaws{ignoreByteLock: true}, "the lock was taken from"},
		{"attaching to a slot that was lost", joined, modelFlaws{trustAttach: true}, "the lock was taken from"},
		// The margins of the protocol: it holds without them.
		{"recovery wakes one", three, modelFlaws{wakeOne: true}, ""},
		{"recovery by a second master wakes one", joined, modelFlaws{wakeOne: true}, ""},
		{"seq even before state 0, word born before the commit", filled, modelFlaws{seqFirst: true}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := c.lockModel
			m.modelFlaws = c.modelFlaws
			states, bad, trace := m.explore()
			t.Logf("%d states %s\n\t%s", states, bad, strings.Join(trace, "\n\t"))
			if (bad == "") != (c.want == "") || !strings.Contains(bad, c.want) {
				t.Errorf("found %q, want %q", bad, c.want)
			}
		})
	}
}
