package shm

import "math"

// The first word of an entry says what the key holds. A counter that fits is
// in the word, with everything that an add without the lock must see unchanged:
//
//	narrow  1<<63 | generation<<44 | 44-bit value, two's complement
//	wide    1<<61 | generation            the value is in entry.wide; lock holder only
//	bytes   2<<61 | body                  the first extent of the value
//	dead    0<<61                         free, or about to be; the rest means nothing
//
// A new entry's generation is the low bits of its version, which each entry of
// the shard takes another of. It moves on with each change that does not let
// the value grow. So whoever read an earlier life of the word is refused,
// unless his thread was stopped between the load and the swap while the shard
// made a multiple of 524,288 writes and the line is a counter again, of the same
// value. See docs/adr/0003-counter-word.md.
const (
	kindDead   = 0
	kindWide   = 1
	kindBytes  = 2
	kindNarrow = 4

	narrowBit = 1 << 63
	kindShift = 61
	valueBits = 44
	genBits   = 19
	genMask   = 1<<genBits - 1
	valueMask = 1<<valueBits - 1
	refMask   = 1<<32 - 1 // body: unit+1

	narrowMax = 1<<(valueBits-1) - 1
	narrowMin = -1 << (valueBits - 1)
)

func kindOf(w uint64) uint64 {
	if w&narrowBit != 0 {
		return kindNarrow
	}
	return w >> kindShift
}

// genOf is a counter's generation.
func genOf(w uint64) uint64 {
	if w&narrowBit != 0 {
		return w >> valueBits & genMask
	}
	return w & genMask
}

// valueOf is a narrow word's value, sign extended.
func valueOf(w uint64) int64 { return int64(w<<(64-valueBits)) >> (64 - valueBits) }

func fitsNarrow(v int64) bool { return v >= narrowMin && v <= narrowMax }

func narrowWord(gen uint64, v int64) uint64 {
	return narrowBit | (gen&genMask)<<valueBits | uint64(v)&valueMask
}

func wideWord(gen uint64) uint64 { return kindWide<<kindShift | gen&genMask }

func bytesWord(body uint64) uint64 { return kindBytes<<kindShift | body }

func bodyOf(w uint64) uint64 { return w & refMask }

// sameLife: both words are of one counter in one generation.
func sameLife(a, b uint64) bool { return a>>valueBits == b>>valueBits }

// nextGen is the generation of a counter that changes from old to v. It is
// not ok when that comes round to the entry's first: no state of the entry may
// come again.
func nextGen(gen uint64, old, v int64, version uint64) (next uint64, ok bool) {
	if v > old {
		return gen, true
	}
	next = (gen + 1) & genMask
	return next, next != version&genMask
}

// sum is a+b, or ErrOverflow.
func sum(a, b int64) (int64, error) {
	if (b > 0 && a > math.MaxInt64-b) || (b < 0 && a < math.MinInt64-b) {
		return 0, ErrOverflow
	}
	return a + b, nil
}
