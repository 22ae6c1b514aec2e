package shm

import (
	"hash/maphash"
	"slices"
)

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
