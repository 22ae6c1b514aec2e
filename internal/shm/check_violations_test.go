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

// entry is the offset of a linked entry that ok says yes to, and of the link to
// it.
func (w wounds) entry(ok func(off uint64) bool) (link, off uint64) {
	for b := range uint64(len(w.sh.buckets)) {
		for at := w.sh.bucketOff(b); ; {
			off := w.word(at).Load() & offsetMask
			if off == 0 {
				break
			}
			if ok(off) {
				return at, off
			}
			at = off + linkAt
		}
	}
	w.t.Fatal("the populated region has no such entry")
	return 0, 0
}

func (w wounds) of(kind uint64) (link, off uint64) {
	return w.entry(func(off uint64) bool { return kindOf(w.word(off).Load()) == kind })
}

func (w wounds) narrow() uint64 {
	_, off := w.of(kindNarrow)
	return off
}

// bytes is an entry whose value has at least n extents, and the first of them.
func (w wounds) bytes(n int) (off, extent uint64) {
	_, off = w.entry(func(off uint64) bool {
		word := w.word(off).Load()
		ref := uint64(0)
		if kindOf(word) == kindBytes {
			ref = bodyOf(word)
		}
		for range n - 1 {
			if ref == 0 {
				return false
			}
			ref = w.word(w.sh.unitOff(ref-1)).Load() & refMask
		}
		return ref != 0
	})
	return off, w.sh.unitOff(bodyOf(w.word(off).Load()) - 1)
}

// short is an entry whose value has one extent.
func (w wounds) short() uint64 {
	_, off := w.entry(func(off uint64) bool {
		word := w.word(off).Load()
		return kindOf(word) == kindBytes && w.word(w.sh.unitOff(bodyOf(word)-1)).Load()&refMask == 0
	})
	return off
}

// long is an entry with a key that has a tail.
func (w wounds) long() uint64 {
	_, off := w.entry(func(off uint64) bool { return w.word(off+metaAt).Load()>>metaTail != 0 })
	return off
}

func (w wounds) add(off uint64, n int) { w.word(off).Add(uint64(n)) }

func (w wounds) setHeader(extent, units, next uint64) {
	w.word(extent).Store(w.word(extent).Load()>>extentHighShift<<extentHighShift | units<<extentUnitsShift | next)
}

// firstFree is a unit of a line that is free.
func (w wounds) firstFree() uint64 {
	for line := range w.sh.unitsN / lineUnits {
		if !w.sh.inUse(line*lineUnits, lineUnits) {
			return line * lineUnits
		}
	}
	w.t.Fatal("no line is free")
	return 0
}

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
		{"lock of a slot there is not", "locked by slot", func(w wounds) { w.sh.header.lock.Store(999 << slotShift) }},
		{"lock of no owner", "locked by slot -1", func(w wounds) { w.sh.header.lock.Store(waiters) }},
		{"entries", "entries, there are", func(w wounds) { w.sh.header.entries.Add(1) }},
		{"expiring", "entries that expire, there are", func(w wounds) { w.sh.header.expiring.Add(1) }},
		{"used", "units in use, there are", func(w wounds) { w.sh.header.used.Add(1) }},
		{"versions too low", "was never given", func(w wounds) { w.sh.header.versions.Store(3) }},
		{"unit leaked", "1 are leaked", func(w wounds) {
			n := w.firstFree()
			w.sh.bitmap[n/64].Or(1 << (n % 64))
		}},
		{"unit in use and free", "1 are somebody's and not in use", func(w wounds) {
			n := (w.narrow() - w.sh.units) / unitSize
			w.sh.bitmap[n/64].And(^(1 << (n % 64)))
		}},
		{"free line like a counter", "begins as a counter does", func(w wounds) { w.word(w.sh.unitOff(w.firstFree())).Store(narrowBit) }},
		{"link outside", "where no entry can be", func(w wounds) {
			link, _ := w.of(kindNarrow)
			w.word(link).Store(w.sh.start)
		}},
		{"link beside a line", "where no entry can be", func(w wounds) {
			link, _ := w.of(kindNarrow)
			w.add(link, unitSize)
		}},
		{"link cut", "leaked", func(w wounds) {
			link, _ := w.of(kindNarrow)
			w.word(link).Store(0)
		}},
		{"linked twice", "in use already", func(w wounds) {
			link, off := w.of(kindNarrow)
			w.word(off + linkAt).Store(w.word(link).Load())
		}},
		{"linked from two chains", "in use already", func(w wounds) {
			link, _ := w.of(kindNarrow)
			_, off := w.of(kindWide)
			w.word(off + linkAt).Store(w.word(link).Load())
		}},
		{"wrong bucket", "not where its hash leads", func(w wounds) {
			link, _ := w.of(kindNarrow)
			for b := range uint64(len(w.sh.buckets)) {
				if empty := w.word(w.sh.bucketOff(b)); empty.Load() == 0 {
					empty.Store(w.word(link).Load())
					w.word(link).Store(0)
					return
				}
			}
		}},
		{"wrong tag", "its tag or its meta", func(w wounds) {
			link, _ := w.of(kindNarrow)
			w.word(link).Store(w.word(link).Load() ^ 1<<tagShift)
		}},
		{"wrong hash in meta", "its tag or its meta", func(w wounds) { w.add(w.narrow()+metaAt, 1<<metaHash) }},
		{"dead entry linked", "a dead entry", func(w wounds) { w.word(w.narrow()).Store(kindDead) }},
		{"entry of no kind", "of kind 3", func(w wounds) { w.word(w.narrow()).Store(3 << kindShift) }},
		{"wide with more than a generation", "more than its generation", func(w wounds) {
			_, off := w.of(kindWide)
			w.add(off, 1<<genBits)
		}},
		{"narrow with a second word", "in its second word", func(w wounds) { w.add(w.narrow()+wideAt, 1) }},
		{"wide that passes for narrow", "in its second word", func(w wounds) {
			_, off := w.of(kindWide)
			w.word(off).Or(narrowBit)
		}},
		{"version of the future", "was never given", func(w wounds) { w.add(w.narrow()+versionAt, 1<<40) }},
		{"version twice", "is there twice", func(w wounds) {
			_, a := w.of(kindNarrow)
			_, b := w.of(kindBytes)
			w.word(a + versionAt).Store(w.word(b + versionAt).Load())
		}},
		{"expiry", "expiry and version do not match", func(w wounds) { w.add(w.narrow()+expiryAt, 1) }},
		{"key of no length", "not where its hash leads", func(w wounds) {
			m := w.word(w.narrow() + metaAt)
			m.Store(m.Load() >> metaTail << metaTail)
		}},
		{"key too long", "a key of", func(w wounds) { w.add(w.narrow()+metaAt, MaxKey) }},
		{"key changed", "not where its hash leads", func(w wounds) { w.add(w.narrow()+keyAt, 1) }},
		{"key padding", "not padded", func(w wounds) {
			_, off := w.entry(func(off uint64) bool { return w.word(off+metaAt).Load()&metaLenMask < keyInline })
			w.word(off + keyAt + 8).Or(1 << 63)
		}},
		{"short key with a tail", "more of them elsewhere", func(w wounds) {
			_, off := w.entry(func(off uint64) bool { return w.word(off+metaAt).Load()&metaLenMask <= keyInline })
			w.add(off+metaAt, 1<<metaTail)
		}},
		{"long key without a tail", "bytes are missing", func(w wounds) {
			m := w.word(w.long() + metaAt)
			m.Store(m.Load() & metaKeyMask)
		}},
		{"long key's tail changed", "not where its hash leads", func(w wounds) {
			tail := w.word(w.long()+metaAt).Load() >> metaTail
			w.add(w.sh.unitOff(tail-1)+8, 1)
		}},
		{"value changed", "does not match its checksum", func(w wounds) {
			_, extent := w.bytes(1)
			w.add(extent+16, 1)
		}},
		{"value's checksum", "does not match its checksum", func(w wounds) {
			off, _ := w.bytes(1)
			w.add(off+wideAt, 1<<32)
		}},
		{"value shorter", "", func(w wounds) {
			off, _ := w.bytes(1)
			w.add(off+wideAt, -1)
		}},
		{"value longer by a unit", "", func(w wounds) {
			off, _ := w.bytes(1)
			w.add(off+wideAt, unitSize)
		}},
		{"value of no length that can be", "bytes that begin nowhere", func(w wounds) {
			off, _ := w.bytes(1)
			w.add(off+wideAt, 1<<31)
		}},
		{"value that begins nowhere", "bytes are missing", func(w wounds) {
			off, _ := w.bytes(1)
			w.word(off).Store(bytesWord(0))
		}},
		{"value beyond the shard", "bytes are missing", func(w wounds) {
			off, _ := w.bytes(1)
			w.word(off).Store(bytesWord(w.sh.unitsN + 1))
		}},
		{"body with more bits", "bytes that begin nowhere", func(w wounds) {
			off, _ := w.bytes(1)
			w.add(off, 1<<40)
		}},
		{"another's value", "in use already", func(w wounds) {
			off := w.short()
			other, _ := w.bytes(2)
			w.word(off).Store(w.word(other).Load())
		}},
		{"chain cut", "bytes are missing", func(w wounds) {
			_, extent := w.bytes(2)
			w.setHeader(extent, extentUnits(w.word(extent).Load()), 0)
		}},
		{"chain to itself", "in use already", func(w wounds) {
			_, extent := w.bytes(2)
			w.setHeader(extent, extentUnits(w.word(extent).Load()), (extent-w.sh.units)/unitSize+1)
		}},
		{"chain goes on", "goes on behind its data", func(w wounds) {
			off := w.short()
			extent := w.sh.unitOff(bodyOf(w.word(off).Load()) - 1)
			w.setHeader(extent, extentUnits(w.word(extent).Load()), 1)
		}},
		{"extent of no units", "an extent of 0 units", func(w wounds) {
			_, extent := w.bytes(2)
			w.setHeader(extent, 0, w.word(extent).Load()&refMask)
		}},
		{"extent of too many units", "an extent of 49 units", func(w wounds) {
			_, extent := w.bytes(2)
			w.setHeader(extent, maxExtent+1, w.word(extent).Load()&refMask)
		}},
		{"extent with the highest bits", "an extent of", func(w wounds) {
			_, extent := w.bytes(1)
			w.word(extent).Or(1 << 62)
		}},
		{"data like a counter", "data begins as a counter does", func(w wounds) {
			_, extent := w.bytes(2) // of full length: it has lines in it
			w.word(roundUp(extent+8, lineSize)).Or(narrowBit)
		}},
		{"high bit of no line", "more high bits than lines", func(w wounds) {
			_, off := w.entry(func(off uint64) bool {
				return kindOf(w.word(off).Load()) == kindBytes && w.word(off+wideAt).Load()&refMask < 100
			})
			w.word(w.sh.unitOff(bodyOf(w.word(off).Load()) - 1)).Or(1 << 61)
		}},
		{"high bit of a line", "does not match its checksum", func(w wounds) {
			_, extent := w.bytes(2)
			w.add(extent, 1<<extentHighShift)
		}},
		{"key twice", "is there twice", func(w wounds) {
			s := newStore(w.r, ID{}, nil)
			var k target
			k.aim(checkKey(0), s.seed)
			if _, err := w.sh.insertLocked(&k, &payload{integer: true, n: 1}, place(w.sh.bucketOff(k.bucket(len(w.sh.buckets))))); err != nil {
				w.t.Fatal(err)
			}
		}},
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

// What a dead holder of the lock leaves is pending, and no violation: Recover
// makes it whole. What no death leaves is a violation all the same.
func TestCheckOfADeadHoldersShard(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		damage func(wounds)
		ok     bool
	}{
		"nothing":          {func(wounds) {}, true},
		"counts":           {func(w wounds) { w.sh.header.used.Add(5) }, true},
		"a leaked unit":    {func(w wounds) { w.sh.bitmap[0].Or(1 << 63) }, true},
		"a dead entry":     {func(w wounds) { w.word(w.narrow()).Store(kindDead) }, true},
		"a draft":          {func(w wounds) { w.word(w.sh.unitOff(w.firstFree())).Store(narrowBit) }, true},
		"a link to itself": {func(w wounds) { w.add(w.narrow()+linkAt, 8) }, false},
		"a torn value": {func(w wounds) {
			_, extent := w.bytes(1)
			w.add(extent+16, 1)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := populated(t)
			sh := &r.shards[0]
			id := ID{Slot: 0, Generation: 0} // the worker that populated it
			if !cas32(&sh.header.lock, 0, lockOwner(id)) {
				t.Fatal("the lock is not free")
			}
			c.damage(wounds{t, r, sh})
			report := r.Check()
			if (len(report.Violations) == 0) != c.ok || len(report.Pending) != 1 || len(report.Busy) != 0 {
				t.Fatalf("violations %v, pending %v, busy %v", report.Violations, report.Pending, report.Busy)
			}
			if !c.ok {
				return
			}
			if _, err := sh.rebuildLocked(); err != nil {
				t.Fatal(err)
			}
			surrender(&sh.header.lock)
			if report := r.Check(); !report.OK() || len(report.Pending) > 0 {
				t.Errorf("after the repair: %v, %v", report.Violations, report.Pending)
			}
		})
	}
}
