package shm

import "math/bits"

// The bitmap has a 1 for each unit in use. Its writer is the lock holder, who
// sets bits before the units are linked and clears them after they are not: a
// death in between leaves bits set that no entry reaches, until Recover.

// reserveShare of a shard's units, and its last line, are for changes that give
// back as much as they take: what is full can still be replaced.
const reserveShare = 512

// unitsFor is how many units n bytes take in extents of full length.
func unitsFor(n int) uint64 {
	const most = maxExtent*unitSize - 8
	full, rest := uint64(n)/most, uint64(n)%most
	if rest > 0 {
		return full*maxExtent + (rest+8+unitSize-1)/unitSize
	}
	return full * maxExtent
}

// capacityOf is how many bytes n units in a row hold.
func capacityOf(n uint64) uint64 {
	full, rest := n/maxExtent, n%maxExtent
	bytes := full * (maxExtent*unitSize - 8)
	if rest > 0 {
		bytes += rest*unitSize - 8
	}
	return bytes
}

// hunt is one change's search for units. fit is the longest run that may still
// be there: within one change runs are only taken.
type hunt struct{ fit uint64 }

// takeRunLocked takes up to want free units in a row: as many if there is such
// a run, else fewer, so that no unit is ever lost to fragmentation. n is 0 when
// none is free.
func (sh *shard) takeRunLocked(h *hunt, want uint64) (first, n uint64) {
	for least := min(want, h.fit); least > 0; least /= 2 {
		if first, n = sh.findRunLocked(least, want); n > 0 {
			sh.useLocked(first, n)
			return first, n
		}
		h.fit = least / 2
	}
	return 0, 0
}

// findRunLocked finds the next run of at least least free units, and tells up
// to want of them. It begins where the last was found, and comes round once.
func (sh *shard) findRunLocked(least, want uint64) (first, n uint64) {
	words := uint64(len(sh.bitmap))
	from := sh.hands.unit % words
	run := uint64(0) // free units before the next one that is looked at
	for i := range words + 1 {
		at := from + i
		if at >= words {
			at -= words
		}
		if at == 0 && run > 0 { // a run does not go on at the beginning
			if run >= least {
				return sh.foundLocked(words*64-run, run, want)
			}
			run = 0
		}
		free := ^sh.bitmap[at].Load()
		for left := uint64(64); left > 0; {
			ones := min(uint64(bits.TrailingZeros64(^free)), left)
			run, left = run+ones, left-ones
			if run >= want || left > 0 && run >= least {
				return sh.foundLocked(at*64+64-left-run, run, want)
			}
			if left == 0 {
				break
			}
			run = 0
			free >>= ones
			zeros := min(uint64(bits.TrailingZeros64(free)), left)
			left -= zeros
			free >>= zeros
		}
	}
	if run >= least {
		// The walk ends with the word that it began with.
		return sh.foundLocked(from*64+64-run, run, want)
	}
	return 0, 0
}

func (sh *shard) foundLocked(first, run, want uint64) (uint64, uint64) {
	n := min(run, want)
	sh.hands.unit = (first + n) / 64
	return first, n
}

// takeLineLocked takes a free line. ok is false when no two units of one line
// are free together. Lines are looked for from the end down and runs from the
// beginning up: between runs of odd lengths, lines would leave a unit free each.
func (sh *shard) takeLineLocked() (first uint64, ok bool) {
	if first, ok = sh.findLineLocked(); ok {
		sh.useLocked(first, lineUnits)
	}
	return first, ok
}

func (sh *shard) hasLine() bool {
	_, ok := sh.findLineLocked()
	return ok
}

func (sh *shard) findLineLocked() (first uint64, ok bool) {
	words := uint64(len(sh.bitmap))
	hand := sh.hands.line % words // from the end
	for i := range words {
		down := hand + i
		if down >= words {
			down -= words
		}
		at := words - 1 - down
		if lines := linesOf(^sh.bitmap[at].Load()); lines != 0 {
			sh.hands.line = down
			return at*64 + 63 - uint64(bits.LeadingZeros64(lines)), true
		}
	}
	return 0, false
}

// linesOf has a bit for each line of which both units are in free.
func linesOf(free uint64) uint64 {
	const firsts = 0x5555555555555555 // units of each line
	return free & (free >> 1) & firsts
}

// inUse says whether any of n units, at most 64, is used.
func (sh *shard) inUse(first, n uint64) bool {
	word, shift := first/64, first%64
	if sh.bitmap[word].Load()&((1<<n-1)<<shift) != 0 {
		return true
	}
	over := shift + n
	return over > 64 && sh.bitmap[word+1].Load()&(1<<(over-64)-1) != 0
}

// useLocked marks n units, at most 64, as used.
func (sh *shard) useLocked(first, n uint64) {
	word, shift := first/64, first%64
	note(&sh.bitmap[word], sh.bitmap[word].Load()|(1<<n-1)<<shift)
	if over := shift + n; over > 64 {
		note(&sh.bitmap[word+1], sh.bitmap[word+1].Load()|(1<<(over-64)-1))
	}
}

// freeLocked marks n units, at most 64, as free.
func (sh *shard) freeLocked(first, n uint64) {
	word, shift := first/64, first%64
	note(&sh.bitmap[word], sh.bitmap[word].Load()&^((1<<n-1)<<shift))
	if over := shift + n; over > 64 {
		note(&sh.bitmap[word+1], sh.bitmap[word+1].Load()&^(1<<(over-64)-1))
	}
}
