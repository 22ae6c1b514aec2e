package shm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// silent says why a flipped bit of a shard may go unnoticed, "" if it may not.
// It is written from the package comment, not from the checker.
type silent struct{ sh *shard }

func (s silent) header(at, bit uint64) string {
	switch {
	case at == 0 && 1<<bit == uint64(lockOwner(ID{Slot: 0})):
		return "a lock of the process in slot 0, which is there"
	case at == 0 && bit < 32:
		return "" // the lock word: a free lock that names nobody
	case at == 64:
		return "seq: any number is as good"
	case at == 8:
		return "numbers given to writes: a higher one leaves a gap"
	case at == 40:
		return "hints"
	case at >= 128:
		return "statistics and hints"
	case at >= 16 && at < 40:
		return "" // counts
	}
	return "padding"
}

// entry says it of a word of an entry.
func (s silent) entry(w, at, bit uint64) string {
	switch kind := kindOf(w); {
	case at == 0 && kind == kindNarrow && bit < valueBits, at == 16 && kind == kindWide:
		return "value of a counter"
	case at == 0 && kind == kindNarrow && bit < valueBits+genBits, at == 0 && kind == kindWide && bit < genBits:
		return "generation of a counter"
	}
	return ""
}

// flips runs the checker with one bit flipped, many times.
type flips struct {
	t        *testing.T
	r        *Region
	unseen   map[string]int
	reported int
}

func (f *flips) flip(what string, off, bit uint64, why string) {
	word := f.r.mem.word(off)
	was := word.Load()
	word.Store(was ^ 1<<bit)
	report := f.r.Check()
	word.Store(was)
	switch {
	case !report.OK():
		if why == "value of a counter" || why == "generation of a counter" || why == "hints" {
			f.t.Errorf("%s, bit %d (%s): false alarm %v", what, bit, why, report.Violations)
		}
		f.reported++
		return
	case why == "":
		f.t.Errorf("%s, bit %d: nothing reported for %#x", what, bit, was)
	}
	f.unseen[why]++
}

// place draws a word that means something, and how silent it may be.
func (f *flips) place(rng *rand.Rand, entries []uint64) (what string, off, bit uint64, why string) {
	sh := &f.r.shards[0]
	bit = rng.Uint64N(64)
	entry := entries[rng.IntN(len(entries))]
	word := f.r.mem.word(entry).Load()
	switch rng.IntN(8) {
	case 0:
		at := rng.Uint64N(headerSize/8) * 8
		return fmt.Sprintf("header word at %d", at), sh.start + at, bit, silent{sh}.header(at, bit)
	case 1:
		b := rng.Uint64N(uint64(len(sh.buckets)))
		return fmt.Sprintf("bucket %d", b), sh.bucketOff(b), bit, ""
	case 2:
		i := rng.IntN(len(sh.bitmap))
		return fmt.Sprintf("bitmap word %d", i), sh.start + f.r.sb.bitmapOff + uint64(i)*8, bit, ""
	case 3:
		if kindOf(word) != kindBytes || bodyOf(word) == 0 {
			break
		}
		ref := bodyOf(word)
		for next := ref; next != 0 && rng.IntN(2) == 0; next = f.r.mem.word(sh.unitOff(ref-1)).Load() & refMask {
			ref = next
		}
		return fmt.Sprintf("extent %d", ref), sh.unitOff(ref - 1), bit, ""
	case 4:
		if kindOf(word) != kindBytes || bodyOf(word) == 0 {
			break
		}
		off := sh.unitOff(bodyOf(word) - 1)
		at := off + 8 + rng.Uint64N(extentUnits(f.r.mem.word(off).Load())*unitSize/8-1)*8
		return fmt.Sprintf("data at %d", at), at, bit, ""
	}
	at := rng.Uint64N(lineSize/8) * 8
	return fmt.Sprintf("entry at %d, word at %d", entry, at), entry + at, bit, silent{sh}.entry(word, at, bit)
}

// A bit that means something is flipped, 10,000 times, and the checker sees it,
// unless silent has a reason why not.
func TestCheckFindsFlippedBits(t *testing.T) {
	t.Parallel()
	const seed = 7
	rng := rand.New(rand.NewPCG(seed, 0))
	flipped := 10_000
	if testing.Short() {
		flipped = 500
	}
	r := populated(t)
	f := &flips{t: t, r: r, unseen: map[string]int{}}
	var entries []uint64
	for b := range r.shards[0].buckets {
		for link := r.shards[0].buckets[b].Load(); link != 0; link = r.mem.entry(link & offsetMask).link.Load() {
			entries = append(entries, link&offsetMask)
		}
	}
	for range flipped {
		f.flip(f.place(rng, entries))
	}
	var list []string
	for reason, n := range f.unseen {
		list = append(list, fmt.Sprintf("%d %s", n, reason))
	}
	slices.Sort(list)
	t.Logf("seed %d: %d of %d flips reported; unseen: %s", seed, f.reported, flipped, strings.Join(list, "; "))
	if report := r.Check(); !report.OK() || len(report.Pending) > 0 {
		t.Errorf("with every bit put back: %+v", report)
	}
}
