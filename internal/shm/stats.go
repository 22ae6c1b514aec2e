package shm

import (
	"math/bits"
	"time"
)

// Stats are a region's sizes now, and its counts since it was created. Each is
// exact; together they may be of moments that lie a little apart.
type Stats struct {
	Size int64 // bytes of the file
	Used int64 // bytes of the room for keys and values, in use
	Free int64 // bytes of it, not in use

	LargestValue       int64 // bytes that a new key could hold, in the emptiest shard
	LargestValueAnyKey int64 // bytes that any new key could hold: in the fullest shard

	Entries  uint64
	Expiring uint64 // entries that have a time to live

	Evictions  uint64
	Expiries   uint64 // expired keys that were reclaimed
	LockWaits  uint64 // times somebody slept for a shard's lock
	Recoveries uint64 // shards made whole after their lock holder died

	LongestWait time.Duration // for a shard's lock
	// LongestHold is that of a shard's lock: of one hold in timedShare, and of
	// all that may be long.
	LongestHold time.Duration
	Shards      int
}

// Stats takes no lock.
func (r *Region) Stats() Stats {
	st := Stats{Size: int64(r.sb.size), Shards: len(r.shards)}
	for i := range r.shards {
		sh := &r.shards[i]
		h := sh.header
		used := min(h.used.Load(), sh.unitsN)
		st.Used += int64(used) * unitSize
		st.Free += int64(sh.unitsN-used) * unitSize
		largest := int64(min(sh.largestNow(used), r.sb.largestValue()))
		st.LargestValue = max(st.LargestValue, largest)
		if i == 0 || largest < st.LargestValueAnyKey {
			st.LargestValueAnyKey = largest
		}
		st.Entries += h.entries.Load()
		st.Expiring += h.expiring.Load()
		st.Evictions += h.evictions.Load()
		st.Expiries += h.expiries.Load()
		st.LockWaits += h.waits.Load()
		st.Recoveries += h.repairs.Load()
		st.LongestWait = max(st.LongestWait, time.Duration(h.longestWait.Load()))
		st.LongestHold = max(st.LongestHold, time.Duration(h.longestHold.Load()))
	}
	return st
}

// largestNow is how many bytes a new key of keyInline bytes could hold: what
// the free units hold in the runs that they form, and no more than a change may
// take.
func (sh *shard) largestNow(used uint64) uint64 {
	taken := used + sh.unitsN/reserveShare + lineUnits
	if taken >= sh.unitsN {
		return 0
	}
	bytes, run, lines := uint64(0), uint64(0), 0
	for i := range sh.bitmap {
		free := ^sh.bitmap[i].Load()
		lines += bits.OnesCount64(linesOf(free))
		if free == ^uint64(0) {
			run += 64
			continue
		}
		for left := uint64(64); left > 0; {
			ones := min(uint64(bits.TrailingZeros64(^free)), left)
			run, left, free = run+ones, left-ones, free>>ones
			if left == 0 {
				break
			}
			bytes, run = bytes+capacityOf(run), 0
			zeros := min(uint64(bits.TrailingZeros64(free)), left)
			left, free = left-zeros, free>>zeros
		}
	}
	if lines < 2 { // one is for those who give one back
		return 0
	}
	bytes += capacityOf(run)
	// The reserve, the entry, and the pieces that the hands may leave of a run.
	keep := (sh.unitsN/reserveShare+lineUnits)*unitSize + lineSize
	return min(bytes-min(bytes, keep), capacityOf(sh.unitsN-taken))
}
