package shm

import (
	"encoding/binary"
	"sync/atomic"
)

// An extent's header: high<<38 | units<<32 | next. See the package comment.
const (
	extentUnitsShift = 32
	extentUnitsMask  = 1<<6 - 1
	extentHighShift  = 38
)

func extentUnits(header uint64) uint64 { return header >> extentUnitsShift & extentUnitsMask }

// extentAt says where an extent is that something refers to. It is not ok when
// that is none: read without the lock, a reference may be anything.
func (sh *shard) extentAt(ref uint64) (off, header uint64, ok bool) {
	if ref == 0 || ref > sh.unitsN {
		return 0, 0, false
	}
	off = sh.unitOff(ref - 1)
	header = sh.mem.word(off).Load()
	n := extentUnits(header)
	return off, header, header>>62 == 0 && n >= 1 && n <= maxExtent && n <= sh.unitsN-(ref-1)
}

const wordsPerLine = lineSize / 8

// lineStart is which word of an extent's data is the first that begins a line;
// every eighth after it does.
func lineStart(off uint64) int { return int((lineSize-8-off%lineSize)/8) % wordsPerLine }

// copyOut fills dst with the data of a chain. It is not ok when the chain is
// none, or ends before. The caller finds out whether it changed meanwhile.
func (sh *shard) copyOut(dst []byte, ref uint64) (ok bool) {
	for len(dst) > 0 {
		off, header, ok := sh.extentAt(ref)
		if !ok {
			return false
		}
		n := copyWords(dst, sh.mem.words(off+8, extentUnits(header)*unitSize/8-1))
		high := header >> extentHighShift
		for top := lineStart(off)*8 + 7; high != 0 && top < n; top += lineSize {
			dst[top] |= byte(high << 7)
			high >>= 1
		}
		dst, ref = dst[n:], header&refMask
	}
	return true
}

// takeChainLocked takes units for b and fills them. ref is 0, and nothing is
// taken, when there is no room.
func (sh *shard) takeChainLocked(h *hunt, b []byte) (ref, units uint64, ok bool) {
	var last *atomic.Uint64 // header of the extent before, without its next
	var header uint64
	for len(b) > 0 {
		first, n := sh.takeRunLocked(h, min((uint64(len(b))+8+unitSize-1)/unitSize, maxExtent))
		if n == 0 {
			if last != nil {
				fill(last, header)
				sh.freeChainLocked(ref)
			}
			return 0, 0, false
		}
		if last != nil {
			fill(last, header|(first+1))
		} else {
			ref = first + 1
		}
		units += n
		off := sh.unitOff(first)
		last = sh.mem.word(off)
		b, header = sh.fillExtent(off, n, b)
	}
	if last != nil {
		fill(last, header)
	}
	return ref, units, true
}

// fillExtent stores as much of b as n units hold, and returns the rest and the
// header without its next.
func (sh *shard) fillExtent(off, n uint64, b []byte) (rest []byte, header uint64) {
	words := sh.mem.words(off+8, n*unitSize/8-1)
	high, lines := uint64(0), 0
	for plain := lineStart(off); ; plain = wordsPerLine - 1 { // words up to the next line
		plain = min(plain, len(words))
		b = fillWords(words[:plain], b)
		if words = words[plain:]; len(words) == 0 {
			return b, high<<extentHighShift | n<<extentUnitsShift
		}
		var w uint64
		w, b = nextWord(b)
		high |= w >> 63 << lines
		lines++
		fill(&words[0], w&^narrowBit)
		words = words[1:]
	}
}

// nextWord is the first 8 bytes of b, zero padded, and what follows them.
func nextWord(b []byte) (w uint64, rest []byte) {
	switch {
	case len(b) >= 8:
		return binary.LittleEndian.Uint64(b), b[8:]
	case len(b) > 0:
		return tail(b), nil
	}
	return 0, nil
}

// freeChainLocked gives a chain's units back and returns how many. No entry
// reaches them any more.
func (sh *shard) freeChainLocked(ref uint64) (units uint64) {
	for ref != 0 {
		_, header, ok := sh.extentAt(ref)
		if !ok || units >= sh.unitsN {
			return units // damage: Check tells where
		}
		n := extentUnits(header)
		sh.freeLocked(ref-1, n)
		units += n
		ref = header & refMask
	}
	return units
}

// chainUnits is how many units a chain has, for the lock holder.
func (sh *shard) chainUnits(ref uint64) (units uint64) {
	for ref != 0 && units < sh.unitsN {
		_, header, ok := sh.extentAt(ref)
		if !ok {
			break
		}
		units += extentUnits(header)
		ref = header & refMask
	}
	return units
}
