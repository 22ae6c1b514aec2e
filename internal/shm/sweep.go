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
// The next call goes on where this one came to.
func (s *Store) SweepExpired(limit time.Duration) (reclaimed int) {
	deadline := nanotime() + int64(limit)
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	for range s.region.shards {
		more, done := s.sweepShard(&s.region.shards[s.sweepNext], deadline)
		reclaimed += more
		if !done {
			break
		}
		s.sweepNext = (s.sweepNext + 1) % len(s.region.shards)
	}
	return reclaimed
}

// sweepShard goes on from the shard's hand to its last bucket. It is not done
// when the deadline came first.
func (s *Store) sweepShard(sh *shard, deadline int64) (reclaimed int, done bool) {
	h := sh.header
	if h.expiring.Load() == 0 {
		return 0, true
	}
	last, at := h.sweptAt.Load(), s.region.clock()
	if at < last+sweepPause || !cas(&h.sweptAt, last, at) {
		return 0, true
	}
	for b := int(h.sweepHand.Load() % uint64(len(sh.buckets))); b < len(sh.buckets); b++ {
		if s.hasExpired(sh, b) {
			n, err := s.reclaimFrom(sh, b, b+1)
			if err != nil {
				return reclaimed, true
			}
			reclaimed += n
		}
		if b%sweepStep == sweepStep-1 && nanotime() > deadline {
			put(&h.sweepHand, uint64(b+1))
			return reclaimed, false
		}
	}
	put(&h.sweepHand, 0)
	return reclaimed, true
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
