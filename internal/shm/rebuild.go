package shm

// rebuildLocked makes the shard whole after its lock holder has died: what its
// buckets reach is what there is. It may be done any number of times, from the
// start; a death in here leaves it to the next recoverer. Readers go on reading.
// ErrCorrupt: two things share a unit, or a chain leads outside, as no death
// leaves them.
//
//  1. the bitmap: nothing is used
//  2. each bucket: unlink what is dead; mark what is reached; count it
//  3. move seq on: somebody may be reading units that are free now
//  4. kill the words of lines that are free: a draft's, or an entry's that was
//     unlinked and not killed. No line that is free begins as a counter does.
//     What is killed may be the bytes of a value, which whoever is still
//     reading them must not believe: so it comes after 3
func (sh *shard) rebuildLocked() (mended, error) {
	sum, err := sh.retakeLocked()
	if err != nil {
		return mended{}, err
	}
	h := sh.header
	done := mended{unlinked: sum.unlinked}
	if used := h.used.Load(); used > sum.used {
		done.freed = used - sum.used
	}
	put(&h.seq, h.seq.Load()+1)
	sh.killFreeLocked()
	put(&h.entries, sum.entries)
	put(&h.expiring, sum.expiring)
	put(&h.used, sum.used)
	add(&h.repairs, 1)
	return done, nil
}

// mended is what a death had left in a shard: entries that were dead and still
// linked, and units that were counted as used and reached by nothing.
type mended struct{ unlinked, freed uint64 }

// retakeLocked makes the bitmap anew from what the buckets reach.
func (sh *shard) retakeLocked() (sum tally, err error) {
	for i := range sh.bitmap {
		put(&sh.bitmap[i], 0)
	}
	for b := range sh.buckets {
		if err := sh.retakeBucket(sh.bucketOff(uint64(b)), &sum); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

func (sh *shard) killFreeLocked() {
	for line := range sh.unitsN / lineUnits {
		if sh.inUse(line*lineUnits, lineUnits) {
			continue
		}
		if word := sh.mem.word(sh.unitOff(line * lineUnits)); kindOf(word.Load()) != kindDead {
			put(word, kindDead)
		}
	}
}

type tally struct{ entries, expiring, used, unlinked uint64 }

// retakeBucket marks what one bucket reaches.
func (sh *shard) retakeBucket(at uint64, sum *tally) error {
	steps := uint64(0)
	for link := sh.mem.word(at).Load(); link != 0; link = sh.mem.word(at).Load() {
		off := link & offsetMask
		if steps++; steps > sh.unitsN { // dead entries in a circle
			return errChain
		}
		if !sh.isLine(off) || !sh.retakeUnits((off-sh.units)/unitSize, lineUnits, sum) {
			return errChain
		}
		e := sh.mem.entry(off)
		word, meta := e.word.Load(), e.meta.Load()
		if kindOf(word) == kindDead {
			put(sh.mem.word(at), e.link.Load())
			sh.freeLocked((off-sh.units)/unitSize, lineUnits)
			sum.used -= lineUnits
			sum.unlinked++
			continue
		}
		ok := sh.retakeChain(meta>>metaTail, sum)
		if ok && kindOf(word) == kindBytes {
			ok = sh.retakeChain(bodyOf(word), sum)
		}
		if !ok {
			return errChain
		}
		if kindOf(word) == kindNarrow && e.wide.Load() != 0 {
			put(&e.wide, 0)
		}
		if e.expiry.Load()&expiryMask != 0 {
			sum.expiring++
		}
		if meta&metaLenMask != 0 {
			sum.entries++
		}
		at = off + linkAt
	}
	return nil
}

func (sh *shard) retakeChain(ref uint64, sum *tally) bool {
	for ref != 0 {
		_, header, ok := sh.extentAt(ref)
		if !ok || !sh.retakeUnits(ref-1, extentUnits(header), sum) {
			return false
		}
		ref = header & refMask
	}
	return true
}

func (sh *shard) retakeUnits(first, n uint64, sum *tally) bool {
	if sh.inUse(first, n) {
		return false
	}
	sh.useLocked(first, n)
	sum.used += n
	return true
}
