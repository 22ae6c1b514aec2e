package shm

import "hash/crc32"

// payload is a value in the form that its entry has, made before the lock is
// taken.
type payload struct {
	integer bool
	n       int64
	bytes   []byte
	wide    uint64 // of bytes: crc<<32 | length
	expiry  uint64 // ms, 0 for ever
}

// make fills p in place, as aim does a target.
func (p *payload) make(v *Value) {
	if v.Integer {
		p.integer, p.n = true, v.Int
		return
	}
	p.bytes, p.wide = v.Bytes, uint64(crc32.Checksum(v.Bytes, castagnoli))<<32|uint64(len(v.Bytes))
}

// units is how many units a key and its value take, if they come in long runs.
func (k *target) units(p *payload) uint64 {
	n := uint64(lineUnits) + unitsFor(len(p.bytes))
	if len(k.key) > keyInline {
		n += unitsFor(len(k.key) - keyInline)
	}
	return n
}

// draft is a new entry that nothing links to yet.
type draft struct {
	off     uint64
	units   uint64 // of it and its chains
	version uint64
}

// draftLocked takes units for the entry of k and its value, and fills all of it
// but the link. gives is how many units the change will give back: the reserve
// is for changes that give back as much as they take. Errors: ErrFull, after
// which nothing is taken.
func (sh *shard) draftLocked(k *target, p *payload, gives uint64) (draft, error) {
	h := sh.header
	need := k.units(p)
	room := sh.unitsN - min(h.used.Load(), sh.unitsN)
	if reserve := sh.unitsN / reserveShare; need > gives {
		room -= min(room, reserve)
	}
	if need > room {
		return draft{}, ErrFull
	}
	version := sh.numberLocked() // first: who looks at the bitmap meanwhile finds out
	line, ok := sh.takeLineLocked()
	if !ok {
		return draft{}, ErrFull
	}
	hunt := hunt{fit: maxExtent}
	var tailRef, tailUnits uint64
	if len(k.key) > keyInline {
		tailRef, tailUnits, ok = sh.takeChainLocked(&hunt, k.key[keyInline:])
	}
	var body, bodyUnits uint64
	if ok {
		body, bodyUnits, ok = sh.takeChainLocked(&hunt, p.bytes)
	}
	if ok && need > gives {
		// Pieces hold less than runs do; and the last line is for those who
		// give one back.
		ok = lineUnits+tailUnits+bodyUnits <= room && sh.hasLine()
	}
	if !ok {
		sh.freeChainLocked(tailRef)
		sh.freeChainLocked(body)
		sh.freeLocked(line, lineUnits)
		return draft{}, ErrFull
	}
	d := draft{off: sh.unitOff(line), units: lineUnits + tailUnits + bodyUnits, version: version}
	e := sh.mem.entry(d.off)
	switch {
	case !p.integer:
		fill(&e.word, bytesWord(body))
		fill(&e.wide, p.wide)
	case fitsNarrow(p.n):
		fill(&e.word, narrowWord(d.version, p.n))
		fill(&e.wide, 0)
	default:
		fill(&e.word, wideWord(d.version))
		fill(&e.wide, uint64(p.n))
	}
	fill(&e.meta, k.meta|tailRef<<metaTail)
	fill(&e.version, d.version)
	fill(&e.expiry, packExpiry(p.expiry, d.version))
	for i, w := range k.words {
		fill(&e.key[i], w)
	}
	return d, nil
}

// numberLocked gives the next number to a write, before anything has it: a death
// then leaves a gap. Who looks whether the shard was changed meanwhile goes by it.
func (sh *shard) numberLocked() uint64 {
	n := sh.header.versions.Load() + 1
	note(&sh.header.versions, n)
	return sh.base + n
}

// linkLocked makes a draft the entry of its key, in the place of what is linked
// there, with next behind it. This store is the moment of the change.
func (sh *shard) linkLocked(k *target, d draft, at place, next uint64) {
	fill(&sh.mem.entry(d.off).link, next)
	put(sh.mem.word(uint64(at)), d.off|k.tag()<<tagShift)
}

// insertLocked adds an entry for a key that is absent. Errors: ErrFull.
func (sh *shard) insertLocked(k *target, p *payload, at place) (draft, error) {
	d, err := sh.draftLocked(k, p, 0)
	if err != nil {
		return d, err
	}
	sh.linkLocked(k, d, at, sh.mem.word(uint64(at)).Load())
	h := sh.header
	note(&h.used, h.used.Load()+d.units)
	if p.expiry != 0 {
		note(&h.expiring, h.expiring.Load()+1)
	}
	if len(k.key) > 0 { // the arguments are no entry of anybody's
		note(&h.entries, h.entries.Load()+1)
	}
	return d, nil
}

// replaceLocked puts an entry in the place of the one that was found. changed
// means that somebody added to the counter since, and nothing was done.
// Errors: ErrFull.
func (sh *shard) replaceLocked(k *target, p *payload, at place, f *found) (d draft, changed bool, err error) {
	gives := sh.unitsOfLocked(f)
	if d, err = sh.draftLocked(k, p, gives); err != nil {
		return d, false, err
	}
	if kindOf(f.word) == kindNarrow && !freeze(f.e, f.word) {
		sh.dropLocked(d)
		return d, true, nil
	}
	sh.linkLocked(k, d, at, f.e.link.Load())
	put(&f.e.word, kindDead) // a line that is free is no counter's
	sh.giveLocked(f)
	h := sh.header
	note(&h.used, h.used.Load()+d.units-gives)
	if was, is := f.expires(), p.expiry != 0; was != is {
		sh.countExpiringLocked(is)
	}
	return d, false, nil
}

// freeze makes a narrow counter a wide one of the same value, which nobody adds
// to without the lock. It fails when somebody added to it since.
func freeze(e *entry, w uint64) bool {
	return widen(e, w, valueOf(w), genOf(w))
}

// widen makes a narrow counter a wide one. It fails when somebody added to it
// since.
func widen(e *entry, w uint64, v int64, gen uint64) bool {
	put(&e.wide, uint64(v)) // which nobody reads yet
	if cas(&e.word, w, wideWord(gen)) {
		return true
	}
	put(&e.wide, 0)
	return false
}

// narrow makes a wide counter a narrow one, by the first of two stores. A death
// between them leaves a second word that nobody reads, until Recover.
func narrow(e *entry, v int64, gen uint64) {
	put(&e.word, narrowWord(gen, v))
	put(&e.wide, 0)
}

// dropLocked gives a draft back that was not linked.
func (sh *shard) dropLocked(d draft) {
	var f found
	f.read(sh.mem.entry(d.off), d.off)
	put(&f.e.word, kindDead)
	sh.freePartsLocked(&f)
}

// removeLocked removes the entry that was found. It is not ok, and nothing was
// done, when somebody added to the counter since.
func (sh *shard) removeLocked(at place, f *found) (ok bool) {
	gives, counts := sh.unitsOfLocked(f), f.e.meta.Load()&metaLenMask != 0
	if kindOf(f.word) != kindNarrow {
		put(&f.e.word, kindDead)
	} else if !cas(&f.e.word, f.word, kindDead) {
		return false
	}
	put(sh.mem.word(uint64(at)), f.e.link.Load())
	sh.giveLocked(f)
	h := sh.header
	note(&h.used, h.used.Load()-gives)
	if f.expires() {
		sh.countExpiringLocked(false)
	}
	if counts {
		note(&h.entries, h.entries.Load()-1)
	}
	return true
}

// giveLocked gives back the units of an entry that was unlinked and killed. seq
// first: whoever is still at them finds out before they are another's.
func (sh *shard) giveLocked(f *found) {
	add(&sh.header.seq, 1)
	sh.freePartsLocked(f)
}

// freePartsLocked gives back an entry's chains and its line. The next search
// begins where they were: that memory is in the caches.
func (sh *shard) freePartsLocked(f *found) {
	sh.freeChainLocked(f.e.meta.Load() >> metaTail)
	if body := bodyOf(f.word); kindOf(f.word) == kindBytes && body != 0 {
		sh.freeChainLocked(body)
		sh.hands.unit = (body - 1) / 64
	}
	line := (f.off - sh.units) / unitSize
	sh.freeLocked(line, lineUnits)
	sh.hands.line = uint64(len(sh.bitmap)) - 1 - line/64
}

// unitsOfLocked is how many units an entry and its chains have.
func (sh *shard) unitsOfLocked(f *found) uint64 {
	n := lineUnits + sh.chainUnits(f.e.meta.Load()>>metaTail)
	if kindOf(f.word) == kindBytes {
		n += sh.chainUnits(bodyOf(f.word))
	}
	return n
}

func (sh *shard) countExpiringLocked(more bool) {
	n := sh.header.expiring.Load()
	if more {
		n++
	} else {
		n--
	}
	put(&sh.header.expiring, n)
}
