package shm

import "time"

const (
	// sweepPause is how long a shard is left alone between two looks, whichever
	// processes look.
	sweepPause = 90 // ms
	// sweepStep buckets are looked at between two looks at the clock.
	sweepStep = 64
	// longestChain ends a walk that has lost its way; none is nearly so long.
	longestChain = 1 << 12
)

// SweepExpired gives back the room of keys that have expired, for up to limit,
// and tells how many there were. Each worker calls it ten times a second; a
// shard that one of them looks at is left alone by the others. It takes a
// shard's lock for one bucket at a time, and only where something has expired.
func (s *Store) SweepExpired(limit time.Duration) (reclaimed int) {
	began := nanotime()
	n := len(s.region.shards)
	for i := range n {
		sh := &s.region.shards[(i+s.id.Slot)%n] // not all workers at the same ones
		h := sh.header
		if h.expiring.Load() == 0 {
			continue
		}
		last, at := h.sweptAt.Load(), s.region.clock()
		if at < last+sweepPause || !cas(&h.sweptAt, last, at) {
			continue
		}
		hand := h.sweepHand.Load() % uint64(len(sh.buckets))
		for looked := range uint64(len(sh.buckets)) {
			b := int((hand + looked) % uint64(len(sh.buckets)))
			if s.hasExpired(sh, b) {
				reclaimed += s.reclaimFrom(sh, b, b+1)
			}
			if looked%sweepStep == sweepStep-1 && nanotime()-began > int64(limit) {
				put(&h.sweepHand, uint64(b+1))
				return reclaimed
			}
		}
	}
	return reclaimed
}

// hasExpired looks at a bucket without the lock: what it reads may be anything,
// and the lock holder looks again.
func (s *Store) hasExpired(sh *shard, bucket int) bool {
	link := sh.buckets[bucket].Load()
	for steps := 0; link != 0 && steps < longestChain; steps++ {
		off := link & offsetMask
		if !sh.isLine(off) {
			return false
		}
		f := found{expiry: sh.mem.entry(off).expiry.Load()}
		if f.expired(s.region) {
			return true
		}
		link = sh.mem.entry(off).link.Load()
	}
	return false
}
