//go:build crashpoints

package shm

import (
	"errors"
	"fmt"
)

// variant is the change of change.go written once more, with room for mistakes.
// Without one it does what the original does.
type variant struct {
	linkFirst   bool // linked before it is filled
	lateVersion bool // the number is given out after the entry is linked
	freeFirst   bool // replace gives the old value back before it takes memory for the new one
	killFirst   bool // replace kills the old entry before the new one is linked
	noFreeze    bool // replace does not keep adds away from the old counter
	freeEarly   bool // remove gives the value back before it kills the entry
	noKill      bool // what is unlinked keeps its word
	noSeq       bool // what is unlinked does not move seq on

	recover func(*Store, ID) error // nil: Recover
}

// draft is draftLocked and linkLocked: an entry in the place of what is linked
// at a place, with next behind it.
func (v variant) draft(sh *shard, k *target, p *payload, at place, next uint64) (d draft, err error) {
	h := sh.header
	line, ok := sh.takeLineLocked()
	hunt := hunt{fit: maxExtent}
	tail, tailUnits, body, bodyUnits := uint64(0), uint64(0), uint64(0), uint64(0)
	if ok && len(k.key) > keyInline {
		tail, tailUnits, ok = sh.takeChainLocked(&hunt, k.key[keyInline:])
	}
	if ok {
		body, bodyUnits, ok = sh.takeChainLocked(&hunt, p.bytes)
	}
	if !ok {
		return d, errors.New("a scenario of mistakes with too little room")
	}
	n := h.versions.Load() + 1
	if !v.lateVersion {
		put(&h.versions, n)
	}
	d = draft{off: sh.unitOff(line), units: lineUnits + tailUnits + bodyUnits, version: sh.base + n}
	e := sh.mem.entry(d.off)
	link := func() {
		fill(&e.link, next)
		put(sh.mem.word(uint64(at)), d.off|k.tag()<<tagShift)
	}
	if v.linkFirst {
		link()
	}
	word, wide := bytesWord(body), p.wide
	if p.integer {
		if word, wide = narrowWord(d.version, p.n), 0; !fitsNarrow(p.n) {
			word, wide = wideWord(d.version), uint64(p.n)
		}
	}
	fill(&e.word, word)
	fill(&e.wide, wide)
	fill(&e.meta, k.meta|tail<<metaTail)
	fill(&e.version, d.version)
	fill(&e.expiry, packExpiry(p.expiry, d.version))
	for i, w := range k.words {
		fill(&e.key[i], w)
	}
	if !v.linkFirst {
		link()
	}
	if v.lateVersion {
		put(&h.versions, n)
	}
	return d, nil
}

func (v variant) insert(sh *shard, k *target, p *payload, at place) error {
	d, err := v.draft(sh, k, p, at, sh.mem.word(uint64(at)).Load())
	if err != nil {
		return err
	}
	h := sh.header
	put(&h.used, h.used.Load()+d.units)
	if p.expiry != 0 {
		sh.countExpiringLocked(true)
	}
	put(&h.entries, h.entries.Load()+1)
	return nil
}

func (v variant) replace(sh *shard, k *target, p *payload, at place, f *found) error {
	gives := sh.unitsOfLocked(f)
	if v.freeFirst {
		sh.freeChainLocked(bodyOf(f.word))
		sh.hands.unit = 0
	}
	if v.killFirst {
		put(&f.e.word, kindDead)
	} else if kindOf(f.word) == kindNarrow && !v.noFreeze && !freeze(f.e, f.word) {
		return errors.New("somebody added in a trial of one process")
	}
	d, err := v.draft(sh, k, p, at, f.e.link.Load())
	if err != nil {
		return err
	}
	v.give(sh, f)
	h := sh.header
	put(&h.used, h.used.Load()+d.units-gives)
	if was, is := f.expires(), p.expiry != 0; was != is {
		sh.countExpiringLocked(is)
	}
	return nil
}

func (v variant) give(sh *shard, f *found) {
	if !v.noKill {
		put(&f.e.word, kindDead)
	}
	if !v.noSeq {
		put(&sh.header.seq, sh.header.seq.Load()+1)
	}
	if v.freeFirst {
		sh.freeLocked((f.off-sh.units)/unitSize, lineUnits)
		return
	}
	sh.freePartsLocked(f)
}

func (v variant) remove(sh *shard, at place, f *found) {
	gives := sh.unitsOfLocked(f)
	if v.freeFirst = v.freeEarly; v.freeEarly {
		sh.freeChainLocked(bodyOf(f.word))
	}
	if !v.noKill {
		put(&f.e.word, kindDead)
	}
	put(sh.mem.word(uint64(at)), f.e.link.Load())
	v.give(sh, f)
	h := sh.header
	put(&h.used, h.used.Load()-gives)
	if f.expires() {
		sh.countExpiringLocked(false)
	}
	put(&h.entries, h.entries.Load()-1)
}

// change is a step that does to key what ifThere says, or else ifAbsent.
func (v variant) change(st step, key string, ifThere func(*shard, *target, place, *found) error, ifAbsent func(*shard, *target, place) error) step {
	st.do = func(s *Store) error {
		var k target
		var f found
		k.aim([]byte(key), s.seed)
		sh := s.shardOf(&k)
		if err := s.lock(sh); err != nil {
			return err
		}
		defer s.unlock(sh)
		at, err := s.lookLocked(sh, &k, &f)
		if err != nil {
			return err
		}
		if f.e == nil {
			return ifAbsent(sh, &k, at)
		}
		return ifThere(sh, &k, at, &f)
	}
	return st
}

func (v variant) write(key string, c cell) step {
	value := IntegerValue(c.n)
	if !c.integer {
		value = BytesValue([]byte(c.bytes))
	}
	var load payload
	load.make(&value)
	return v.change(write(key, c, Put{}), key,
		func(sh *shard, k *target, at place, f *found) error { return v.replace(sh, k, &load, at, f) },
		func(sh *shard, k *target, at place) error { return v.insert(sh, k, &load, at) })
}

func (v variant) drop(key string) step {
	return v.change(remove(key), key,
		func(sh *shard, _ *target, at place, f *found) error { v.remove(sh, at, f); return nil },
		func(*shard, *target, place) error { return fmt.Errorf("%s: %w", key, ErrNotFound) })
}

// rebuilt is Recover with another way to make a shard whole.
func rebuilt(rebuild func(*shard) error) func(*Store, ID) error {
	return func(s *Store, id ID) error {
		for i := range s.region.shards {
			sh := &s.region.shards[i]
			if !seize(&sh.header.lock, lockOwner(id), s.owner) {
				continue
			}
			if err := rebuild(sh); err != nil {
				return err
			}
			surrender(&sh.header.lock)
		}
		s.free(id)
		return nil
	}
}

// rightly rebuilds as Recover does.
func rightly(sh *shard) error {
	_, err := sh.rebuildLocked()
	return err
}

// keepingWords rebuilds, and leaves the words of free lines as they were.
func keepingWords(sh *shard) error {
	words := make([]uint64, sh.unitsN/lineUnits)
	for line := range words {
		words[line] = sh.mem.word(sh.unitOff(uint64(line) * lineUnits)).Load()
	}
	_, err := sh.rebuildLocked()
	for line, w := range words {
		if first := uint64(line) * lineUnits; !sh.inUse(first, lineUnits) {
			sh.mem.word(sh.unitOff(first)).Store(w)
		}
	}
	return err
}

// keepingSeq rebuilds, and leaves seq as it was.
func keepingSeq(sh *shard) error {
	seq := sh.header.seq.Load()
	_, err := sh.rebuildLocked()
	sh.header.seq.Store(seq)
	return err
}

// killingFirst rebuilds, and kills words before it moves seq on.
func killingFirst(sh *shard) error {
	sum, err := sh.retakeLocked()
	if err != nil {
		return err
	}
	h := sh.header
	sh.killFreeLocked()
	put(&h.seq, h.seq.Load()+1)
	put(&h.entries, sum.entries)
	put(&h.expiring, sum.expiring)
	put(&h.used, sum.used)
	return nil
}
