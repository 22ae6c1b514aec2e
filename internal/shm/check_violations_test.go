package shm

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// wounds finds places in a populated region to damage.
type wounds struct {
	t  *testing.T
	r  *Region
	sh *shard
}

func (w wounds) word(off uint64) *atomic.Uint64 { return w.r.mem.word(off) }

func (w wounds) use(n uint64) slabUse { return unpackUse(w.sh.slabs[n].use.Load()) }

func (w wounds) setUse(n uint64, u slabUse) { w.sh.slabs[n].use.Store(u.pack()) }

// slab is one that ok says yes to.
func (w wounds) slab(ok func(slabUse) bool) uint64 {
	for n := range w.sh.header.fresh.Load() {
		if ok(w.use(n)) {
			return n
		}
	}
	w.t.Fatal("the populated region has no such slab")
	return 0
}

func (w wounds) full() uint64 {
	return w.slab(func(u slabUse) bool { return u.used == u.capacity() })
}

func (w wounds) freed() uint64 {
	return w.slab(func(u slabUse) bool { return u.free != 0 && w.used(u) })
}

func (w wounds) used(u slabUse) bool { return u.used > 1 }

// entry is the offset of a linked entry, and of the link to it; with a
// successor in its chain if next.
func (w wounds) entry(next bool, kind uint64) (link, off uint64) {
	for b := range uint64(len(w.sh.buckets)) {
		link := w.sh.bucketOff(b)
		off := w.word(link).Load() & offsetMask
		if off != 0 && kindOf(w.word(off).Load()) == kind && (!next || w.word(off+linkAt).Load() != 0) {
			return link, off
		}
	}
	w.t.Fatal("the populated region has no such entry")
	return 0, 0
}

func (w wounds) narrow() uint64 {
	_, off := w.entry(false, kindNarrow)
	return off
}

func (w wounds) add(off uint64, n int) { w.word(off).Add(uint64(n)) }

// Every rule of the checker is broken once.
func TestCheckFindsEachViolation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		want   string
		damage func(wounds)
	}{
		{"superblock", "superblock", func(w wounds) { w.r.bytes[200] ^= 1 }},
		{"slot phase", "phase 3", func(w wounds) { w.r.slot(1).control.Store(packControl(0, 3)) }},
		{"slot state", "state 4", func(w wounds) { w.r.slot(0).state.Store(4) }},
		{"slot owner a worker", "no master's", func(w wounds) { w.r.slot(0).owner.Store(packID(ID{Slot: 1})) }},
		{"slot owner beyond", "no master's", func(w wounds) { w.r.slot(0).owner.Store(packID(ID{Slot: 99})) }},
		{"arguments", "do not match", func(w wounds) { w.r.args().buffers[1].data[0].Add(1) }},
		{"arguments' checksum", "do not match", func(w wounds) { w.r.args().buffers[1].crc.Add(1 << 40) }},
		{"arguments' length", "arguments of", func(w wounds) { w.r.args().buffers[1].length.Store(MaxArgs + 1) }},
		{"redo checksum", "redo record", func(w wounds) { w.sh.header.state.Store(1 << 32) }},
		{"redo count", "redo record", func(w wounds) { w.sh.header.state.Store((maxPairs + 1) << 32) }},
		{"redo outside", "redo record", func(w wounds) {
			w.sh.header.pairs[0].offset.Store(w.sh.start + w.sh.size)
			w.sh.header.state.Store(1<<32 | uint64(w.sh.pairsCRC(1)))
		}},
		{"fresh beyond", "slabs taken of", func(w wounds) { w.sh.header.fresh.Store(uint64(len(w.sh.slabs)) + 1) }},
		{"fresh too high", "is lost", func(w wounds) { w.sh.header.fresh.Add(1) }},
		{"lock of a slot there is not", "locked by slot", func(w wounds) { w.sh.header.lock.Store(999 << slotShift) }},
		{"lock of no owner", "locked by slot -1", func(w wounds) { w.sh.header.lock.Store(waiters) }},
		{"lock of the arguments", "locked by slot", func(w wounds) { w.r.args().lock.Store(lockOwner(ID{Slot: 0, Generation: 77})) }},
		{"a change that nobody applies", "no lock holder", func(w wounds) {
			w.sh.header.pairs[0].offset.Store(w.sh.offsetOf(freshAt))
			w.sh.header.pairs[0].value.Store(w.sh.header.fresh.Load())
			w.sh.header.state.Store(1<<32 | uint64(w.sh.pairsCRC(1)))
		}},
		{"fresh too low", "taken", func(w wounds) { w.sh.header.fresh.Add(^uint64(0)) }},
		{"entries", "counts", func(w wounds) { w.sh.header.entries.Add(1) }},
		{"list of no class", "a list for class 9", func(w wounds) { w.sh.header.partial[9].Store(1) }},
		{"list of class 0", "a list for class 0", func(w wounds) { w.sh.header.partial[0].Store(1) }},
		{"list beyond", "list of class 1 leads", func(w wounds) { w.sh.header.partial[1].Store(1 << 20) }},
		{"list lost", "in the list of its class is false", func(w wounds) {
			w.sh.header.partial[w.use(w.freed()).class].Store(0)
		}},
		{"list cycle", "in two lists", func(w wounds) {
			n := w.sh.header.partial[1].Load() - 1
			w.sh.slabs[n].links.Store(packLinks(n+1, 0))
		}},
		{"list of another class", "is in the list of class", func(w wounds) { w.sh.header.partial[1].Store(w.sh.header.partial[2].Load()) }},
		{"list back", "is before it", func(w wounds) {
			n := w.sh.header.partial[1].Load() - 1
			next, _ := unpackLinks(w.sh.slabs[n].links.Load())
			w.sh.slabs[n].links.Store(packLinks(next, 3))
		}},
		{"list with a full slab", "used: in the list of its class is true", func(w wounds) {
			n := w.full()
			w.sh.slabs[n].links.Store(packLinks(w.sh.header.partial[w.use(n).class].Load(), 0))
			w.sh.header.partial[w.use(n).class].Store(n + 1)
		}},
		{"pool", "is in the list of class 0", func(w wounds) { w.sh.header.pool.Store(w.full() + 1) }},
		{"slab without class", "has items but no class", func(w wounds) {
			n := w.full()
			u := w.use(n)
			u.class = 0
			w.setUse(n, u)
		}},
		{"slab lost", "is lost", func(w wounds) { w.sh.slabs[w.full()].use.Store(0) }},
		{"slab of no class", "which there is not", func(w wounds) {
			n := w.full()
			u := w.use(n)
			u.class = 77
			w.setUse(n, u)
		}},
		{"slab never taken", "is used, only", func(w wounds) {
			w.setUse(w.sh.header.fresh.Load(), slabUse{class: 1, used: 1, bump: 1})
		}},
		{"slab used up", "in its list", func(w wounds) { w.bend(func(u *slabUse) { u.used++ }) }},
		{"slab used down", "slabs count", func(w wounds) { w.bend(func(u *slabUse) { u.used-- }) }},
		{"slab used beyond", "handed out", func(w wounds) { w.bend(func(u *slabUse) { u.used = u.bump + 1 }) }},
		{"slab bump beyond", "handed out", func(w wounds) { w.bend(func(u *slabUse) { u.bump = u.capacity() + 1 }) }},
		{"slab bump up", "leaked", func(w wounds) {
			n := w.slab(func(u slabUse) bool { return u.bump < u.capacity() })
			u := w.use(n)
			u.bump++
			w.setUse(n, u)
		}},
		{"free list lost", "leaked", func(w wounds) { w.bend(func(u *slabUse) { u.free = 0 }) }},
		{"free list beyond", "the free list", func(w wounds) { w.bend(func(u *slabUse) { u.free = u.capacity() + 1 }) }},
		{"free list cycle", "the free list", func(w wounds) {
			n := w.freed()
			u := w.use(n)
			w.word(w.sh.itemOff(n, u.class, u.free-1) + linkAt).Store(u.free)
		}},
		{"free item linked", "where no item is in use", func(w wounds) {
			n := w.freed()
			u := w.use(n)
			_, off := w.entry(false, kindNarrow)
			w.word(off + linkAt).Store(w.sh.itemOff(n, u.class, u.free-1))
		}},
		{"link outside", "where no item is in use", func(w wounds) {
			link, _ := w.entry(false, kindNarrow)
			w.word(link).Store(w.sh.start)
		}},
		{"link inside an item", "where no item is in use", func(w wounds) {
			link, _ := w.entry(false, kindNarrow)
			w.add(link, 8)
		}},
		{"link cut", "leaked", func(w wounds) {
			link, _ := w.entry(false, kindNarrow)
			w.word(link).Store(0)
		}},
		{"linked twice", "linked twice", func(w wounds) {
			link, off := w.entry(false, kindNarrow)
			w.word(off + linkAt).Store(w.word(link).Load())
		}},
		{"linked from two chains", "linked twice", func(w wounds) {
			link, _ := w.entry(false, kindNarrow)
			_, off := w.entry(false, kindWide)
			w.word(off + linkAt).Store(w.word(link).Load())
		}},
		{"wrong bucket", "not where its hash leads", func(w wounds) {
			link, _ := w.entry(false, kindNarrow)
			for b := range uint64(len(w.sh.buckets)) {
				if empty := w.word(w.sh.bucketOff(b)); empty.Load() == 0 {
					empty.Store(w.word(link).Load())
					w.word(link).Store(0)
					return
				}
			}
		}},
		{"wrong tag", "its tag or its meta", func(w wounds) {
			link, _ := w.entry(false, kindNarrow)
			w.word(link).Store(w.word(link).Load() ^ 1<<tagShift)
		}},
		{"wrong hash in meta", "its tag or its meta", func(w wounds) { w.add(w.narrow()+metaAt, 1<<32) }},
		{"dead entry linked", "a dead entry", func(w wounds) {
			off := w.narrow()
			w.word(off).Store(killed(w.word(off).Load()))
		}},
		{"byte value", "a kind that this release", func(w wounds) {
			w.word(w.narrow()).Store(packWord(kindBytes, 1, 0))
		}},
		{"wide with a value", "with a value in its word", func(w wounds) {
			_, off := w.entry(false, kindWide)
			w.add(off, 1)
		}},
		{"expiry", "reserved", func(w wounds) { w.add(w.narrow()+32, 1) }},
		{"body", "reserved", func(w wounds) { w.add(w.narrow()+40, 1) }},
		{"key of no length", "a key of 0 bytes", func(w wounds) {
			m := w.word(w.narrow() + metaAt)
			m.Store(m.Load() >> 32 << 32)
		}},
		{"key too long for its item", "in an item of", func(w wounds) { w.add(w.narrow()+metaAt, 600) }},
		{"key changed", "not where its hash leads", func(w wounds) { w.add(w.narrow()+entryHead, 1) }},
		{"key padding", "not padded", func(w wounds) {
			_, off := w.padded()
			n := w.word(off+metaAt).Load() & 0xffffffff
			last := w.word(off + uint64(keyWordAt(int(n/8))))
			last.Store(last.Load() | 1<<63)
		}},
		{"key twice", "is there twice", func(w wounds) { w.twin() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := populated(t)
			c.damage(wounds{t, r, &r.shards[0]})
			report := r.Check()
			if report.OK() || !slices.ContainsFunc(report.Violations, func(v Violation) bool { return strings.Contains(v.String(), c.want) }) {
				t.Errorf("found %v, want %q", report.Violations, c.want)
			}
		})
	}
}

// bend changes the descriptor of a slab that has items in use and free ones.
func (w wounds) bend(how func(*slabUse)) {
	n := w.freed()
	u := w.use(n)
	how(&u)
	w.setUse(n, u)
}

// padded is an entry whose key does not fill its last word.
func (w wounds) padded() (link, off uint64) {
	for b := range uint64(len(w.sh.buckets)) {
		link := w.sh.bucketOff(b)
		off := w.word(link).Load() & offsetMask
		if off != 0 && w.word(off+metaAt).Load()%8 != 0 {
			return link, off
		}
	}
	w.t.Fatal("the populated region has no such entry")
	return 0, 0
}

// twin inserts a key that is there already.
func (w wounds) twin() {
	s := newStore(w.r, ID{}, nil)
	var k target
	k.aim(checkKey(0), s.seed)
	if err := w.sh.insertLocked(&k, 1); err != nil {
		w.t.Fatal(err)
	}
}
