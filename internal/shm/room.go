package shm

import (
	"bytes"
	"fmt"
	"iter"
)

// A change that finds no room has some made: what has expired first, then, if
// the policy says so, what was not used since the clock's hand last passed.

// room is what was done for a change of one key.
type room struct {
	k       *target
	swept   bool
	weighed bool
	evicted int
}

const (
	// sweepChunk buckets are looked at in one hold of the lock.
	sweepChunk = 256
	// evictChunk bounds the keys that are evicted in one hold of the lock.
	evictChunk = 128
)

// makeRoom is called without the lock. It reports whether it is worth another
// try.
func (s *Store) makeRoom(sh *shard, need uint64, r *room) bool {
	if s.brief {
		return false
	}
	if !r.swept {
		r.swept = true
		if n, err := s.reclaim(sh); n > 0 || err != nil {
			return true // the next try has room, or returns the error
		}
	}
	if !s.evict {
		return false
	}
	if !r.weighed {
		r.weighed = true
		if !s.couldHold(sh, need, r.k) {
			return false // nothing is evicted for nothing
		}
	}
	// What is missing; or, where the room is there in pieces that are too
	// small, some more of them.
	missing := need/8 + lineUnits
	if room := sh.unitsN - min(sh.header.used.Load(), sh.unitsN); need+sh.unitsN/reserveShare > room {
		missing = need + sh.unitsN/reserveShare - room
	}
	units := uint64(0)
	// Twice round: the first pass may find everything marked.
	for looked := 0; looked < 2*len(sh.buckets) && units < missing; {
		u, n, l, err := s.evictSome(sh, missing-units, r.k)
		if err != nil {
			return true // the next try returns it
		}
		units, looked = units+u, looked+l
		r.evicted += n
	}
	return units > 0
}

// couldHold says whether need units for k fit a shard that has nothing else but
// what is never evicted: what k holds now, for whoever reads and writes it back
// would lose it, and the arguments.
func (s *Store) couldHold(sh *shard, need uint64, k *target) bool {
	if s.lock(sh) != nil {
		return true // the next try finds out
	}
	defer s.unlock(sh)
	gives, ok := s.staysLocked(sh, k)
	stays := gives
	if len(k.key) > 0 && ok {
		var args target
		args.aim(nil, s.seed)
		var more uint64
		more, ok = s.staysLocked(sh, &args)
		stays += more
	}
	if need > gives {
		stays += sh.unitsN / reserveShare
	}
	return !ok || need+runsCut+stays <= sh.unitsN
}

// staysLocked is how many units a key has, if it is one of the shard's. It is not
// ok in a shard that is damaged.
func (s *Store) staysLocked(sh *shard, k *target) (units uint64, ok bool) {
	if s.shardOf(k) != sh {
		return 0, true
	}
	var f found
	if _, err := sh.findLocked(k, &f); err != nil {
		return 0, false
	}
	if f.e == nil || f.expired(s.region) {
		return 0, true
	}
	return sh.unitsOfLocked(&f), true
}

// Fits says whether the region could hold all these keys at once, with the
// arguments and nothing else, while args, if not nil, take the place of those.
// Errors: ErrKeyLength and ErrFull, for a key.
func (s *Store) Fits(args []byte, keys iter.Seq2[[]byte, Value]) error {
	need := make([]uint64, len(s.region.shards))
	fresh := s.region.Stats().Used == 0
	holds := func(key, value []byte) bool {
		var k target
		var f found
		k.aim(key, s.seed)
		sh := s.shardOf(&k)
		more := k.units(&payload{bytes: value})
		if !fresh && sh.find(&k, &f) != present {
			// What is there leaves holes. In the worst of them a unit is an extent,
			// and has 24 bytes in place of 32.
			more += more / 3
		}
		n := &need[sh.index]
		*n += more
		return *n+runsCut+sh.unitsN/reserveShare+lineUnits <= sh.unitsN
	}
	before, err := s.Args(nil)
	if err != nil {
		return err
	}
	holds(nil, before)
	if args != nil && !bytes.Equal(args, before) && !holds(nil, args) {
		return fmt.Errorf("arguments of %d bytes: %w", len(args), ErrFull)
	}
	for key, v := range keys {
		if !validKey(key) {
			return fmt.Errorf("key %.40q: %w", key, ErrKeyLength)
		}
		if !holds(key, v.Bytes) {
			return fmt.Errorf("key %.40q: %w", key, ErrFull)
		}
	}
	return nil
}

// reclaim removes what has expired from the whole shard, some buckets at a time.
// Errors: ErrLocked.
func (s *Store) reclaim(sh *shard) (n int, err error) {
	if sh.header.expiring.Load() == 0 {
		return 0, nil
	}
	for b := 0; b < len(sh.buckets); b += sweepChunk {
		more, err := s.reclaimFrom(sh, b, min(b+sweepChunk, len(sh.buckets)))
		if err != nil {
			return n, err
		}
		n += more
	}
	return n, nil
}

// reclaimFrom is reclaim for some buckets. Errors: ErrLocked.
func (s *Store) reclaimFrom(sh *shard, from, to int) (n int, err error) {
	if err := s.lock(sh); err != nil {
		return 0, err
	}
	defer s.unlock(sh)
	s.timeHold(sh)
	for b := from; b < to; b++ {
		n += s.reclaimBucketLocked(sh, b)
	}
	return n, nil
}

func (s *Store) reclaimBucketLocked(sh *shard, bucket int) (n int) {
	at := place(sh.bucketOff(uint64(bucket)))
	var f found
	for range sh.unitsN {
		if !sh.visitLocked(at, &f) {
			break
		}
		if f.expired(s.region) && sh.expireLocked(at, &f) {
			n++
			continue // the same word links to the next one now
		}
		at = place(f.off + linkAt)
	}
	return n
}

// visitLocked reads the entry that is linked at a place. It is not ok at the
// end of a chain, or where it is broken.
func (sh *shard) visitLocked(at place, f *found) (ok bool) {
	link := sh.mem.word(uint64(at)).Load()
	off := link & offsetMask
	if link == 0 || !sh.isLine(off) {
		return false
	}
	f.read(sh.mem.entry(off), off)
	return kindOf(f.word) != kindDead
}

// evictSome moves the clock's hand until need units were given back, for a
// bounded time, and tells how many keys that took and how many buckets it passed.
// The key that the room is for is not evicted. Errors: ErrLocked.
func (s *Store) evictSome(sh *shard, need uint64, k *target) (units uint64, evicted, looked int, err error) {
	if err := s.lock(sh); err != nil {
		return 0, 0, 0, err
	}
	defer s.unlock(sh)
	s.timeHold(sh)
	hand := int(sh.header.clockHand.Load() % uint64(len(sh.buckets)))
	for units < need && evicted < evictChunk && looked < sweepChunk {
		u, n := s.evictBucketLocked(sh, hand, k)
		units, evicted = units+u, evicted+n
		looked++
		if hand++; hand == len(sh.buckets) {
			hand = 0
		}
	}
	put(&sh.header.clockHand, uint64(hand))
	add(&sh.header.evictions, uint64(evicted))
	return units, evicted, looked, nil
}

// evictBucketLocked gives each entry that is marked a second chance. The
// arguments are nobody's cache.
func (s *Store) evictBucketLocked(sh *shard, bucket int, k *target) (units uint64, evicted int) {
	at := place(sh.bucketOff(uint64(bucket)))
	var f found
	for range sh.unitsN {
		if !sh.visitLocked(at, &f) {
			break
		}
		line := sh.lineOf(f.off)
		mark, bit := &sh.marks[line/64], uint64(1)<<(line%64)
		gives := sh.unitsOfLocked(&f)
		switch {
		case f.e.meta.Load()&metaLenMask == 0 || k.holds(sh, f.e):
		case f.expired(s.region):
			if sh.expireLocked(at, &f) {
				units += gives
				continue
			}
		case mark.Load()&bit != 0:
			dropBits(mark, bit)
		default:
			if sh.removeLocked(at, &f) {
				units += gives
				evicted++
				continue
			}
		}
		at = place(f.off + linkAt)
	}
	return units, evicted
}

// touch marks the entry at off as used. A mark that comes late, on a line that
// was recycled, gives another key a second chance.
func (s *Store) touch(sh *shard, off uint64) {
	if s.evict {
		sh.mark(off)
	}
}

func (sh *shard) mark(off uint64) {
	line := sh.lineOf(off)
	mark, bit := &sh.marks[line/64], uint64(1)<<(line%64)
	if mark.Load()&bit == 0 { // most are: no line is written for nothing
		putBits(mark, bit)
	}
}
