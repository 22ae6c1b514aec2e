package shm

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"sync/atomic"
)

const (
	linkAt = 8 // entry.link

	tagShift   = 48
	offsetMask = 1<<tagShift - 1
)

// target is a key on its way to its entry.
type target struct {
	key  []byte
	hash uint64
	meta uint64 // of an entry that holds this key
	last uint64 // the key's last word, 0 when its length is a multiple of 8
}

// aim fills k in place: a copy of fresh words stalls the lookup that reads them.
func (k *target) aim(key []byte, seed uint64) {
	k.key = key
	k.hash, k.last = hashKey(key, seed)
	k.meta = k.hash<<32 | uint64(len(key))
}

// tag goes into each link to the entry, so that chains are walked without
// comparing keys.
func (k *target) tag() uint64 { return k.hash >> 32 & 0xffff }

// bucket spreads the hash's low half over n buckets.
func (k *target) bucket(n int) uint64 { return (k.hash & 0xffffffff) * uint64(n) >> 32 }

// size is the bytes that an entry with this key reaches over.
func (k *target) size() uint64 { return uint64(keyWordAt((len(k.key)-1)/8)) + 8 }

// keyWordAt is the offset of word i of the key in its entry: two words in the
// first line, seven in each that follows.
func keyWordAt(i int) int {
	const inHead = (lineSize - entryHead) / 8
	if i < inHead {
		return entryHead + i*8
	}
	i -= inHead
	return lineSize + i/7*lineSize + 8 + i%7*8
}

// holds compares the whole key. The entry may be changing below: the caller
// checks seq before believing the answer.
func (k *target) holds(e *entry) bool {
	if e.meta.Load() != k.meta {
		return false
	}
	key, i := k.key, 0
	for ; len(key) >= 8; i++ {
		if keyWord(e, i).Load() != binary.LittleEndian.Uint64(key) {
			return false
		}
		key = key[8:]
	}
	return len(key) == 0 || keyWord(e, i).Load() == k.last
}

// Made beforehand: the lock holder does not format. Check tells where.
var (
	errChain = fmt.Errorf("%w: a chain of entries is broken", ErrCorrupt)
	errSlabs = fmt.Errorf("%w: slabs and their lists do not agree", ErrCorrupt)
)

// verdict is the outcome of a lookup without the lock.
type verdict int

const (
	absent  verdict = iota
	present         // the entry held the key, and the word, at one moment
	unsure          // the shard was changing: take the lock
)

// readTries is how often a lookup is tried before it waits for the lock.
const readTries = 8

// find looks the key up without the lock. Writer: the lock holder, who makes
// seq odd before and even after a change of structure; so a walk between two
// equal even values saw one structure. What it sees in between may be any
// word that an item ever held: offsets are checked, and steps counted.
func (sh *shard) find(k *target) (e *entry, word uint64, v verdict) {
	bucket := &sh.buckets[k.bucket(len(sh.buckets))]
	for range readTries {
		seq := sh.header.seq.Load()
		if seq&1 == 0 {
			e, word, v = sh.walk(k, bucket)
			if v != unsure && sh.header.seq.Load() == seq {
				return e, word, v
			}
		}
		runtime.Gosched()
	}
	return nil, 0, unsure
}

// walk follows one chain to the key's entry and loads its word. It is unsure
// of a chain that leads outside or does not end: one that is being changed, or
// is broken, which the lock holder reports.
func (sh *shard) walk(k *target, bucket *atomic.Uint64) (e *entry, word uint64, v verdict) {
	link := bucket.Load()
	for steps := sh.itemsN / entryClasses[1]; link != 0; steps-- {
		off := link & offsetMask
		if steps == 0 || !sh.contains(off, entryHead) {
			return nil, 0, unsure
		}
		e := sh.mem.entry(off)
		if link>>tagShift == k.tag() && sh.contains(off, k.size()) && k.holds(e) {
			return e, e.word.Load(), present
		}
		link = e.link.Load()
	}
	return nil, 0, absent
}

// place is where a key's entry hangs in its chain: the offset of the word that
// links to it, and its own.
type place struct {
	link, entry uint64
}

// findLocked looks the key up for the lock holder. entry is 0 when the key is
// absent. ErrCorrupt: the chain leads outside the shard or does not end.
func (sh *shard) findLocked(k *target) (place, error) {
	at := sh.bucketOff(k.bucket(len(sh.buckets)))
	for range sh.itemsN / entryClasses[1] {
		link := sh.mem.word(at).Load()
		if link == 0 {
			return place{link: at}, nil
		}
		off := link & offsetMask
		if !sh.contains(off, entryHead) {
			break
		}
		if link>>tagShift == k.tag() && sh.contains(off, k.size()) && k.holds(sh.mem.entry(off)) {
			return place{link: at, entry: off}, nil
		}
		at = off + linkAt
	}
	return place{}, errChain
}

// insertLocked adds an entry for a key that is absent. Errors: ErrFull, ErrCorrupt.
func (sh *shard) insertLocked(k *target, v int64) error {
	var t redo
	if err := sh.planInsertLocked(&t, k, v); err != nil {
		return err
	}
	sh.commitLocked(&t)
	return nil
}

// planInsertLocked puts the change together and does step 1: the item is free
// until the redo record is committed, so it may be filled, but for its link.
func (sh *shard) planInsertLocked(t *redo, k *target, v int64) error {
	off, ok := sh.takeLocked(t, classFor(len(k.key)))
	if t.bad {
		return errSlabs
	}
	if !ok {
		return ErrFull
	}
	e := sh.mem.entry(off)
	kind := uint64(kindNarrow)
	if !fitsNarrow(v) {
		kind = kindWide
		put(&e.wide, uint64(v))
		v = 0
	}
	put(&e.word, reborn(e.word.Load(), kind, v))
	put(&e.meta, k.meta)
	put(&e.expiry, 0)
	put(&e.body, 0)
	key, i := k.key, 0
	for ; len(key) >= 8; i++ {
		put(keyWord(e, i), binary.LittleEndian.Uint64(key))
		key = key[8:]
	}
	if len(key) > 0 {
		put(keyWord(e, i), k.last)
	}
	bucket := sh.bucketOff(k.bucket(len(sh.buckets)))
	t.set(off+linkAt, sh.mem.word(bucket).Load())
	t.set(bucket, off|k.tag()<<tagShift)
	t.set(sh.offsetOf(entriesAt), sh.header.entries.Load()+1)
	return nil
}

// deleteLocked removes an entry and returns the last value it had. Adds that
// come before the kill are in that value; later ones find the key absent.
func (sh *shard) deleteLocked(p place) (int64, error) {
	var t redo
	if err := sh.planDeleteLocked(&t, p); err != nil {
		return 0, err
	}
	if last := sh.commitLocked(&t); kindOf(last) == kindNarrow {
		return valueOf(last), nil
	}
	return int64(sh.mem.entry(p.entry).wide.Load()), nil
}

func (sh *shard) planDeleteLocked(t *redo, p place) error {
	e := sh.mem.entry(p.entry)
	t.kill(p.entry, e.word.Load())
	t.set(p.link, e.link.Load())
	sh.giveLocked(t, p.entry)
	t.set(sh.offsetOf(entriesAt), sh.header.entries.Load()-1)
	if t.bad {
		return errSlabs
	}
	return nil
}
