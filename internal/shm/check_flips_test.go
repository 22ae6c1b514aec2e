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
type silent struct {
	sh    *shard
	fresh uint64
}

func (s silent) header(at, bit uint64) string {
	switch {
	case at == 0 && bit < 32:
		return "" // the lock word: a free lock that names nobody
	case at == 64 && bit == 0:
		return "pending" // seq, odd
	case at == 64:
		return "seq: any even number is as good"
	case at == 152 || at == 160:
		return "statistics"
	case at >= 456 && at < 456+maxPairs*16:
		return "pairs of a redo record that is not committed"
	case at == 0, at < 64, at > 64 && at < 128, at > 160 && at < 192, at >= 456+maxPairs*16:
		return "padding"
	}
	return ""
}

func (s silent) slab(n uint64, second bool) string {
	use := unpackUse(s.sh.slabs[n].use.Load())
	switch {
	case second && (n >= s.fresh || use.class != 0 && use.used == use.capacity()):
		return "links of a slab in no list"
	}
	return ""
}

func (s silent) entry(w, at, bit uint64) string {
	switch {
	case at == 0 && bit >= valueBits && bit < kindShift:
		return "generation"
	case at == 0 && bit < valueBits && kindOf(w) == kindNarrow:
		return "value"
	case at == 16 && kindOf(w) == kindNarrow:
		return "wide of a narrow counter"
	case at == 16:
		return "value"
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
	case why == "pending":
		if !report.OK() || len(report.Pending) == 0 {
			f.t.Errorf("%s, bit %d: %+v, want pending work and no violation", what, bit, report)
		}
	case !report.OK():
		if why == "value" || why == "generation" || why == "statistics" {
			f.t.Errorf("%s, bit %d (%s): false alarm %v", what, bit, why, report.Violations)
		}
		f.reported++
		return
	case why == "":
		f.t.Errorf("%s, bit %d: nothing reported for %#x", what, bit, was)
	}
	f.unseen[why]++
}

// A bit that means something is flipped, in a sample of all places of a shard,
// and the checker sees it, unless silent has a reason why not.
func TestCheckFindsFlippedBits(t *testing.T) {
	t.Parallel()
	const seed = 7
	rng := rand.New(rand.NewPCG(seed, 0))
	sample, thin := 4, 2 // flips of a place; one entry in so many
	if testing.Short() {
		sample, thin = 1, 8
	}
	r := populated(t)
	sh := &r.shards[0]
	f := &flips{t: t, r: r, unseen: map[string]int{}}
	fresh := sh.header.fresh.Load()
	why := silent{sh: sh, fresh: fresh}

	for at := uint64(0); at < headerSize; at += 8 {
		for _, bit := range bitsOf(rng, sample) {
			f.flip(fmt.Sprintf("header word at %d", at), sh.start+at, bit, why.header(at, bit))
		}
	}
	for range 100 * sample {
		b := rng.Uint64N(uint64(len(sh.buckets)))
		f.flip(fmt.Sprintf("bucket %d", b), sh.bucketOff(b), rng.Uint64N(64), "")
	}
	for n := range fresh + 3 {
		for _, bit := range bitsOf(rng, sample) {
			f.flip(fmt.Sprintf("use of slab %d", n), sh.useOff(n), bit, why.slab(n, false))
			f.flip(fmt.Sprintf("links of slab %d", n), sh.linksOff(n), bit, why.slab(n, true))
		}
	}
	for n := range fresh {
		use := unpackUse(sh.slabs[n].use.Load())
		freeItems := map[uint64]bool{}
		for link := use.free; link != 0; {
			freeItems[link-1] = true
			at := sh.itemOff(n, use.class, link-1) + linkAt
			f.flip(fmt.Sprintf("link of free item %d of slab %d", link-1, n), at, rng.Uint64N(64), "")
			link = r.mem.word(at).Load()
		}
		for i := range use.bump {
			if freeItems[i] || rng.IntN(thin) != 0 {
				continue
			}
			off := sh.itemOff(n, use.class, i)
			w := r.mem.word(off).Load()
			words := int(r.mem.word(off+metaAt).Load()&0xffffffff+7) / 8
			for range sample {
				at := rng.Uint64N(entryHead/8) * 8
				if i := rng.IntN(entryHead/8 + words); i < words {
					at = uint64(keyWordAt(i))
				}
				bit := rng.Uint64N(64)
				f.flip(fmt.Sprintf("entry at %d, word at %d", off, at), off+at, bit, why.entry(w, at, bit))
			}
		}
	}
	var list []string
	for reason, n := range f.unseen {
		list = append(list, fmt.Sprintf("%d %s", n, reason))
	}
	slices.Sort(list)
	t.Logf("seed %d: %d flips reported; unseen: %s", seed, f.reported, strings.Join(list, "; "))
	if report := r.Check(); !report.OK() || len(report.Pending) > 0 {
		t.Errorf("with every bit put back: %+v", report)
	}
}

// bitsOf draws n different bits of a word.
func bitsOf(rng *rand.Rand, n int) []uint64 {
	var bits []uint64
	for _, b := range rng.Perm(64)[:min(n, 64)] {
		bits = append(bits, uint64(b))
	}
	return bits
}
