package shm

import (
	"math/bits"
	"time"
)

// Counts are a region's sizes now, and what it has counted since it was created.
// Each is exact; together they may be of moments that lie a little apart.
type Counts struct {
	Size int64 // bytes of the file
	Used int64 // bytes of the room for keys and values, in use
	Free int64 // bytes of it, not in use
	// Fullest is the part of its room that the fullest shard uses, 0 to 1: a key has
	// room in its own shard alone.
	Fullest float64

	Entries  uint64
	Expiring uint64 // entries that have a time to live
	Writes   uint64 // changes that took a lock; adds to counters that are there take none

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

// Stats are the counts, and what there is room for, which takes longer to find out:
// some 10 us for each 32 MiB.
type Stats struct {
	Counts
	LargestValue       int64 // bytes that a new key could hold, in the emptiest shard
	LargestValueAnyKey int64 // bytes that any new key could hold: in the fullest shard
}

// Counts takes no lock.
func (r *Region) Counts() Counts {
	all := Counts{Size: int64(r.sb.size)}
	for i := range r.shards {
		one := r.CountsOf(i)
		all.Shards++
		all.Used += one.Used
		all.Free += one.Free
		all.Fullest = max(all.Fullest, one.Fullest)
		all.Entries += one.Entries
		all.Expiring += one.Expiring
		all.Writes += one.Writes
		all.Evictions += one.Evictions
		all.Expiries += one.Expiries
		all.LockWaits += one.LockWaits
		all.Recoveries += one.Recoveries
		all.LongestWait = max(all.LongestWait, one.LongestWait)
		all.LongestHold = max(all.LongestHold, one.LongestHold)
	}
	return all
}

// CountsOf are those of one shard.
func (r *Region) CountsOf(shard int) Counts {
	sh := &r.shards[shard]
	h := sh.header
	used := min(h.used.Load(), sh.unitsN)
	return Counts{
		Size: int64(r.sb.shardSize), Used: int64(used) * unitSize, Free: int64(sh.unitsN-used) * unitSize,
		Fullest: float64(used) / float64(sh.unitsN),
		Entries: h.entries.Load(), Expiring: h.expiring.Load(), Writes: h.versions.Load() + h.carried.Load(),
		Evictions: h.evictions.Load(), Expiries: h.expiries.Load(), LockWaits: h.waits.Load(), Recoveries: h.repairs.Load(),
		LongestWait: time.Duration(h.longestWait.Load()), LongestHold: time.Duration(h.longestHold.Load()), Shards: 1,
	}
}

// Stats takes no lock.
func (r *Region) Stats() Stats {
	st := Stats{Counts: r.Counts()}
	for i := range r.shards {
		sh := &r.shards[i]
		largest := int64(min(sh.largestNow(min(sh.header.used.Load(), sh.unitsN)), r.sb.largestValue()))
		st.LargestValue = max(st.LargestValue, largest)
		if i == 0 || largest < st.LargestValueAnyKey {
			st.LargestValueAnyKey = largest
		}
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
