package shm

import (
	"fmt"
	"hash/crc32"
)

// killFlag in a pair's offset asks for a kill instead of a store: the word at
// the offset becomes dead if its generation is still the pair's value.
const killFlag = 1

// redo is a structural change while it is being put together, in the process's
// own memory: absolute words for absolute offsets, at most one for each.
type redo struct {
	n     int
	pairs [maxPairs]struct{ offset, value uint64 }
	bad   bool // the shard contradicts itself: the change must not be committed
}

// set adds a pair, or replaces the one for the same offset.
func (t *redo) set(off, v uint64) {
	for i := range t.n {
		if t.pairs[i].offset == off {
			t.pairs[i].value = v
			return
		}
	}
	t.pairs[t.n].offset, t.pairs[t.n].value = off, v
	t.n++
}

// kill marks the counter at off dead, if it still has this word's generation.
func (t *redo) kill(off, word uint64) { t.set(off|killFlag, genOf(word)) }

// get reads a word as it will be after the change. What leads outside the shard
// makes the change bad.
func (t *redo) get(sh *shard, off uint64) uint64 {
	if off-sh.start >= sh.size {
		t.bad = true
		return 0
	}
	for i := range t.n {
		if t.pairs[i].offset == off {
			return t.pairs[i].value
		}
	}
	return sh.mem.word(off).Load()
}

// commitLocked makes a change that survives the death of its maker: steps 2 to
// 5 of the package comment. It returns the last word that a kill replaced.
func (sh *shard) commitLocked(t *redo) (last uint64) {
	h := sh.header
	for i := range t.n {
		put(&h.pairs[i].offset, t.pairs[i].offset)
		put(&h.pairs[i].value, t.pairs[i].value)
	}
	put(&h.state, uint64(t.n)<<32|uint64(sh.pairsCRC(t.n)))
	return sh.applyLocked(t.n)
}

// applyLocked applies n committed pairs. Everything here may be done again
// from the start, any number of times: stores are absolute, a kill finds its
// generation gone, and nobody adds to an entry of this shard's new structure
// before seq is even, which is after state is 0.
func (sh *shard) applyLocked(n int) (last uint64) {
	h := sh.header
	if seq := h.seq.Load(); seq&1 == 0 {
		put(&h.seq, seq+1)
	}
	for i := range n {
		off, v := h.pairs[i].offset.Load(), h.pairs[i].value.Load()
		if off&killFlag == 0 {
			put(sh.mem.word(off), v)
			continue
		}
		word := sh.mem.word(off &^ killFlag)
		for w := word.Load(); kindOf(w) != kindDead && genOf(w) == v; w = word.Load() {
			if cas(word, w, killed(w)) {
				last = w
			}
		}
	}
	put(&h.state, 0)
	put(&h.seq, h.seq.Load()+1)
	return last
}

// repairLocked finishes what a dead holder of the lock began. It reports
// whether there was a change to complete. ErrCorrupt: the record is none that
// a holder writes, and nothing was applied.
func (sh *shard) repairLocked() (replayed bool, err error) {
	h := sh.header
	n, err := sh.pending()
	if err != nil {
		return false, err
	}
	if n > 0 {
		sh.applyLocked(n)
	} else if seq := h.seq.Load(); seq&1 == 1 {
		put(&h.seq, seq+1)
	}
	add(&h.repairs, 1)
	return n > 0, nil
}

// pending is the number of committed pairs that wait to be applied.
func (sh *shard) pending() (int, error) {
	state := sh.header.state.Load()
	if state == 0 {
		return 0, nil
	}
	n := int(state >> 32)
	if n < 1 || n > maxPairs || uint32(state) != sh.pairsCRC(n) {
		return 0, fmt.Errorf("%w: shard %d has a redo record that does not match its checksum", ErrCorrupt, sh.index)
	}
	for i := range n {
		off := sh.header.pairs[i].offset.Load() &^ killFlag
		if off%8 != 0 || off < sh.start || off >= sh.start+sh.size {
			return 0, fmt.Errorf("%w: shard %d has a redo record that points outside, to %d", ErrCorrupt, sh.index, off)
		}
	}
	return n, nil
}

// pairsCRC is read by the lock holder alone, in place: a copy would escape.
func (sh *shard) pairsCRC(n int) uint32 {
	return crc32.Checksum(sh.header.pairBytes(n), castagnoli)
}
