package shm

import (
	"fmt"
	"runtime"
	"time"
)

// snapshot is a private copy of one shard at one moment.
type snapshot struct {
	shard *shard
	words []uint64
	lock  uint32
	held  bool // the copy is of a shard whose lock holder does not go on
}

const (
	// snapshotTries bounds the attempts on a shard that keeps changing.
	snapshotTries = 1000
	// stillFor is how long one holder must have had the lock, with nothing
	// changed, to pass for one that does not go on.
	stillFor = 300 * time.Millisecond
)

// take copies the shard. A copy is good if nobody held the lock at its beginning
// and end, and no number was given to a write and no entry unlinked in between.
// Where a dead or stopped process holds the lock, a copy is good when nothing
// has moved for a while. It reports false for a shard that never held still.
func (s *snapshot) take(sh *shard) bool {
	s.shard = sh
	var since time.Time
	var last [3]uint64
	for try := range snapshotTries {
		before := s.state()
		if s.state() != before {
			runtime.Gosched()
			continue // the lock was free, and somebody took it before the rest was read
		}
		s.lock = uint32(before[0])
		if s.lock == 0 {
			since = time.Time{}
			s.copy()
			if s.state() == before {
				s.held = false
				return true
			}
			if try%16 == 15 {
				time.Sleep(time.Millisecond)
			}
			runtime.Gosched()
			continue
		}
		if since.IsZero() || before != last {
			since, last = time.Now(), before
		}
		if time.Since(since) > stillFor {
			if s.copy(); s.same() && s.state() == before {
				s.held = true
				return true
			}
		}
		time.Sleep(time.Millisecond)
	}
	return false
}

// state is what moves when the shard is being changed.
func (s *snapshot) state() [3]uint64 {
	h := s.shard.header
	return [3]uint64{uint64(h.lock.Load() &^ waiters), h.versions.Load(), h.seq.Load()}
}

func (s *snapshot) copy() {
	words := s.shard.mem.words(s.shard.start, (s.shard.units-s.shard.start+s.shard.unitsN*unitSize)/8)
	if cap(s.words) < len(words) {
		s.words = make([]uint64, len(words))
	}
	s.words = s.words[:len(words)]
	for i := range words {
		s.words[i] = words[i].Load()
	}
}

// same says whether the shard is still as it was copied: a holder who was
// stopped may go on without another number. What others change meanwhile, who
// need no lock, is left out: counters, marks, and the header beside the state.
func (s *snapshot) same() bool {
	sh := s.shard
	words := sh.mem.words(sh.start, uint64(len(s.words)))
	marks := (headerSize + uint64(len(sh.buckets)+len(sh.bitmap))*8) / 8
	for i := headerSize / 8; i < len(words); i++ {
		if uint64(i) >= marks && uint64(i) < marks+uint64(len(sh.marks)) {
			continue
		}
		if w := words[i].Load(); w != s.words[i] && w&s.words[i]&narrowBit == 0 {
			return false
		}
	}
	return true
}

// at is the word at a region offset, 0 beyond the shard.
func (s *snapshot) at(off uint64) uint64 {
	if i := (off - s.shard.start) / 8; i < uint64(len(s.words)) {
		return s.words[i]
	}
	return 0
}

// pending says in words whose work is unfinished, "" for nobody's.
func (s *snapshot) pending() string {
	if !s.held {
		return ""
	}
	return fmt.Sprintf("shard %d is locked by slot %d, which does not go on", s.shard.index, slotOf(s.lock))
}
