package shm

import "math"

// A counter's word holds everything that a lock-free add must see unchanged:
//
//	63..62 kind | 61..44 generation | 43..0 value, two's complement
//
// The generation moves with each kill and each change between narrow and wide,
// so a compare-and-swap by somebody who read an earlier life of the entry fails.
// It has 18 bits: an add goes wrong only if its thread is stopped just between
// the load and the swap while the entry is recycled an exact multiple of
// 262,144 times and has the same value then. See docs/adr/0003-counter-word.md.
const (
	kindDead   = 0 // free, or deleted and about to be
	kindNarrow = 1 // value is in the word
	kindWide   = 2 // value is in entry.wide; changed by the lock holder only
	kindBytes  = 3 // reserved for byte values

	valueBits = 44
	genBits   = 18
	kindShift = valueBits + genBits
	genMask   = 1<<genBits - 1
	valueMask = 1<<valueBits - 1

	narrowMax = 1<<(valueBits-1) - 1
	narrowMin = -1 << (valueBits - 1)
)

func kindOf(w uint64) uint64 { return w >> kindShift }

func genOf(w uint64) uint64 { return w >> valueBits & genMask }

// valueOf is a narrow word's value, sign extended.
func valueOf(w uint64) int64 { return int64(w<<(64-valueBits)) >> (64 - valueBits) }

func fitsNarrow(v int64) bool { return v >= narrowMin && v <= narrowMax }

func packWord(kind, gen uint64, v int64) uint64 {
	return kind<<kindShift | (gen&genMask)<<valueBits | uint64(v)&valueMask
}

// withValue is w with another value, same kind and generation.
func withValue(w uint64, v int64) uint64 { return w&^uint64(valueMask) | uint64(v)&valueMask }

// killed is what a word becomes when its key is deleted.
func killed(w uint64) uint64 { return packWord(kindDead, genOf(w)+1, 0) }

// reborn is a free entry's next word. A death between filling an entry and
// linking it leaves a live kind on a free entry; its generation is not used twice.
func reborn(w uint64, kind uint64, v int64) uint64 {
	gen := genOf(w)
	if kindOf(w) != kindDead {
		gen++
	}
	return packWord(kind, gen, v)
}

// sum is a+b, or ErrOverflow.
func sum(a, b int64) (int64, error) {
	if (b > 0 && a > math.MaxInt64-b) || (b < 0 && a < math.MinInt64-b) {
		return 0, ErrOverflow
	}
	return a + b, nil
}
