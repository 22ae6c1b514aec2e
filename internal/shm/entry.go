package shm

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"sync/atomic"
)

const (
	tagShift   = 48
	offsetMask = 1<<tagShift - 1

	// An entry's meta word: tail<<32 | hash<<10 | key length.
	metaTail    = 32
	metaHash    = 10
	metaLenMask = 1<<metaHash - 1
	metaKeyMask = 1<<metaTail - 1 // all but tail
	hashMask    = 1<<(metaTail-metaHash) - 1
)

// target is a key on its way to its entry.
type target struct {
	key   []byte
	hash  uint64
	meta  uint64           // of an entry that holds this key, but for its tail
	words [keyWords]uint64 // the key's first bytes, zero padded
}

// found is what was read of an entry, at one moment. It is passed by its
// address: the compiler keeps no struct of its size in registers.
type found struct {
	e                           *entry
	off                         uint64 // of e
	word, wide, expiry, version uint64
	seq                         uint64 // of the shard then, of a lookup without the lock
}

// aim fills k in place: a copy of fresh words stalls the lookup that reads them.
func (k *target) aim(key []byte, seed uint64) {
	k.key = key
	var last uint64
	k.hash, last = hashKey(key, seed)
	k.meta = k.hash&hashMask<<metaHash | uint64(len(key))
	switch n := len(key); {
	case n >= 16:
		k.words[0], k.words[1] = binary.LittleEndian.Uint64(key), binary.LittleEndian.Uint64(key[8:])
	case n >= 8:
		k.words[0], k.words[1] = binary.LittleEndian.Uint64(key), last
	default:
		k.words[0], k.words[1] = last, 0
	}
}

// tag goes into each link to the entry, so that chains are walked without
// comparing keys.
func (k *target) tag() uint64 { return k.hash >> 32 & 0xffff }

// bucket spreads the hash's low half over n buckets.
func (k *target) bucket(n int) uint64 { return (k.hash & 0xffffffff) * uint64(n) >> 32 }

// holds compares the whole key. The entry may be changing below: the caller
// checks seq before believing the answer.
func (k *target) holds(sh *shard, e *entry) bool {
	meta := e.meta.Load()
	if meta&metaKeyMask != k.meta || e.key[0].Load() != k.words[0] || e.key[1].Load() != k.words[1] {
		return false
	}
	return len(k.key) <= keyInline || k.tailIs(sh, meta>>metaTail)
}

func (k *target) tailIs(sh *shard, ref uint64) bool {
	var buffer [MaxKey - keyInline]byte
	rest := k.key[keyInline:]
	got := buffer[:len(rest)]
	return sh.copyOut(got, ref) && string(got) == string(rest)
}

// read reads an entry. Without the lock, the caller checks that it was not
// recycled meanwhile.
func (f *found) read(e *entry, off uint64) {
	f.e, f.off = e, off
	f.expiry = e.expiry.Load() // before the word: see Read
	f.word, f.wide, f.version = e.word.Load(), e.wide.Load(), e.version.Load()
}

// Made beforehand: the lock holder does not format. Check tells where.
var errChain = fmt.Errorf("%w: a chain of entries is broken", ErrCorrupt)

// verdict is the outcome of a lookup without the lock.
type verdict int

const (
	absent  verdict = iota
	present         // the entry held the key, and what was found, at one moment
	unsure          // the shard was changing: take the lock
)

// readTries is how often a lookup is tried before it waits for the lock.
const readTries = 8

// find looks the key up without the lock. Writer: the lock holder, who moves
// seq on between unlinking an entry and giving its units back; so a walk
// between two equal values met no line that was recycled under it. What it sees
// in a walk that fails may be any word that the memory ever held: offsets are
// checked, and steps counted.
func (sh *shard) find(k *target, f *found) verdict {
	bucket := &sh.buckets[k.bucket(len(sh.buckets))]
	for try := range readTries {
		if try > 1 {
			runtime.Gosched()
		}
		seq := sh.header.seq.Load()
		if v := sh.walk(k, f, bucket); v != unsure && sh.header.seq.Load() == seq {
			f.seq = seq
			return v
		}
	}
	return unsure
}

// walk follows one chain to the key's entry and reads it. It is unsure of an
// entry that is dead, because one that replaces it may be linked by now; and of
// a chain that leads outside or does not end: one that is being changed, or is
// broken, which the lock holder reports.
func (sh *shard) walk(k *target, f *found, bucket *atomic.Uint64) verdict {
	link := bucket.Load()
	for steps := sh.unitsN; link != 0; steps-- {
		off := link & offsetMask
		if steps == 0 || !sh.isLine(off) {
			return unsure
		}
		e := sh.mem.entry(off)
		if link>>tagShift == k.tag() && k.holds(sh, e) {
			if f.read(e, off); kindOf(f.word) == kindDead {
				return unsure
			}
			return present
		}
		link = e.link.Load()
	}
	return absent
}

// place is a word that links to an entry: a bucket, or the link of another.
type place uint64

// findLocked looks the key up for the lock holder. Of a key that is absent the
// place is its bucket, and f.e is nil. ErrCorrupt: the chain leads outside the
// shard, does not end, or has a dead entry.
func (sh *shard) findLocked(k *target, f *found) (at place, err error) {
	bucket := sh.bucketOff(k.bucket(len(sh.buckets)))
	word := bucket
	for range sh.unitsN {
		link := sh.mem.word(word).Load()
		if link == 0 {
			f.e = nil
			return place(bucket), nil
		}
		off := link & offsetMask
		if !sh.isLine(off) {
			break
		}
		if e := sh.mem.entry(off); link>>tagShift == k.tag() && k.holds(sh, e) {
			if f.read(e, off); kindOf(f.word) == kindDead {
				break
			}
			return place(word), nil
		}
		word = off + linkAt
	}
	return 0, errChain
}

// versionOf is the version of the key as it was found.
func (f *found) versionOf() Version {
	if kindOf(f.word) == kindBytes {
		return Version{Entry: f.version}
	}
	return Version{f.version, uint32(genOf(f.word)) + 1, f.integer()}
}

// integer is the counter's value. Of one beyond 44 bits only the lock holder
// finds it.
func (f *found) integer() int64 {
	if kindOf(f.word) == kindWide {
		return int64(f.wide)
	}
	return valueOf(f.word)
}

// length is that of the bytes, 0 for a counter.
func (f *found) length() uint64 {
	if kindOf(f.word) != kindBytes {
		return 0
	}
	return f.wide & refMask
}

// still says whether the bytes that were found could not have been another's by
// now: no unit of the shard was given back since, or the key has them yet. A
// version is given out once, and bytes never change.
func (sh *shard) still(k *target, f *found) bool {
	if sh.header.seq.Load() == f.seq {
		return true
	}
	var again found
	return sh.find(k, &again) == present && again.version == f.version
}
