package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"runtime"
	"time"
)

// snapshot is a private copy of one shard, as it is or, where a committed
// change is not applied yet, as it will be.
type snapshot struct {
	shard *shard
	words []uint64 // the shard's, up to the last slab that may be taken
	lock  uint32
	seq   uint64
	state uint64
	bad   error // the redo record is not one that a holder writes
}

// snapshotTries bounds the attempts on a shard that keeps changing.
const snapshotTries = 1000

// take copies the shard. A copy is good if seq and state are the same before
// and after: whatever a holder applied meanwhile is a pair of the record that
// is applied to the copy as well. It reports false for a shard that never
// held still.
func (s *snapshot) take(sh *shard) bool {
	h := sh.header
	for try := range snapshotTries {
		s.shard, s.lock, s.seq, s.state, s.bad = sh, h.lock.Load(), h.seq.Load(), h.state.Load(), nil
		// A pending record may take slabs beyond fresh, but not more than it has pairs.
		fresh := min(h.fresh.Load()+maxPairs, uint64(len(sh.slabs)))
		s.copy(sh.items - sh.start + fresh*slabSize)
		if h.seq.Load() == s.seq && h.state.Load() == s.state {
			s.apply()
			if s.bad == nil && s.state != 0 && s.lock == 0 && h.lock.Load() == 0 && h.state.Load() == s.state && h.seq.Load() == s.seq {
				s.bad = errors.New("a committed change that no lock holder is there to apply")
			}
			return true
		}
		if try%16 == 15 {
			time.Sleep(time.Millisecond)
		}
		runtime.Gosched()
	}
	return false
}

func (s *snapshot) copy(n uint64) {
	words := s.shard.mem.words(s.shard.start, n/8)
	s.words = s.words[:0]
	for i := range words {
		s.words = append(s.words, words[i].Load())
	}
}

// apply does to the copy what Recover would do to the shard, by the record in
// the copy: the shard's own may be the next one by now.
func (s *snapshot) apply() {
	if s.state == 0 {
		return
	}
	n := s.state >> 32
	if n < 1 || n > maxPairs {
		s.bad = fmt.Errorf("a redo record of %d pairs, 1 to %d are possible", n, maxPairs)
		return
	}
	pairs := s.words[pairsAt/8 : pairsAt/8+n*2]
	var bytes []byte
	for _, w := range pairs {
		bytes = binary.LittleEndian.AppendUint64(bytes, w)
	}
	if crc32.Checksum(bytes, castagnoli) != uint32(s.state) {
		s.bad = errors.New("a redo record that does not match its checksum")
		return
	}
	for i := range n {
		off, v := pairs[i*2], pairs[i*2+1]
		at := (off &^ killFlag) - s.shard.start
		if at%8 != 0 || at/8 >= uint64(len(s.words)) {
			s.bad = fmt.Errorf("a redo record that points outside, to %d", off)
			return
		}
		switch w := &s.words[at/8]; {
		case off&killFlag == 0:
			*w = v
		case kindOf(*w) != kindDead && genOf(*w) == v:
			*w = killed(*w)
		}
	}
}

// at is the word at a region offset, 0 beyond what was copied.
func (s *snapshot) at(off uint64) uint64 {
	if i := (off - s.shard.start) / 8; i < uint64(len(s.words)) {
		return s.words[i]
	}
	return 0
}

// unfinished says in words what the lock, seq and state of the copy show.
func (s *snapshot) unfinished() []string {
	var out []string
	if s.lock != 0 {
		out = append(out, fmt.Sprintf("shard %d is locked by slot %d", s.shard.index, slotOf(s.lock)))
	}
	if s.state != 0 {
		out = append(out, fmt.Sprintf("shard %d has a committed change of %d words to apply", s.shard.index, s.state>>32))
	} else if s.seq&1 == 1 {
		out = append(out, fmt.Sprintf("shard %d was applying a change, all of which is applied", s.shard.index))
	}
	return out
}
