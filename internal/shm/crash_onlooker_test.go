//go:build crashpoints

package shm

import (
	"fmt"
	"slices"
	"sync/atomic"
)

// onlooker is a thread of a living process in an operation without the lock on
// one key. It was stopped before the victim began, wherever that may be, and
// goes on whenever it is told to: what it is told then must be true, or it must
// find out that it is not.
type onlooker struct {
	key   string
	k     target
	f     found // f.e is nil where the key was absent
	was   cell
	walks []walking
}

// walking is a walk that has read one link.
type walking struct{ link, seq uint64 }

func newOnlooker(s *Store, key string) *onlooker {
	o := &onlooker{key: key}
	o.k.aim([]byte(key), s.seed)
	sh := s.shardOf(&o.k)
	if sh.find(&o.k, &o.f) == present {
		o.was, _ = cellFound(sh, &o.k, &o.f)
	}
	// At each link that does not lead past its entry.
	at := walking{sh.buckets[o.k.bucket(len(sh.buckets))].Load(), sh.header.seq.Load()}
	for {
		o.walks = append(o.walks, at)
		off := at.link & offsetMask
		if off == 0 || off == o.f.off {
			break
		}
		at.link = sh.mem.entry(off).link.Load()
	}
	return o
}

// cellFound is what the entry that was found holds. It is not ok when the entry
// has changed.
func cellFound(sh *shard, k *target, f *found) (c cell, ok bool) {
	c.expiry = f.expiry & expiryMask
	if kindOf(f.word) != kindBytes {
		c.integer, c.n = true, f.integer()
		return c, true
	}
	if f.length() > sh.unitsN*unitSize {
		return c, false
	}
	out := make([]byte, f.length())
	ok = sh.copyOut(out, bodyOf(f.word)) && sh.still(k, f)
	c.bytes = string(out)
	return c, ok
}

// goOn lets it go on: as a reader who was copying what it had found, and as one
// who was at any link of the chain.
func (o *onlooker) goOn(s *Store, past bygones) error {
	sh := s.shardOf(&o.k)
	if o.f.e != nil && kindOf(o.f.word) == kindBytes {
		if c, ok := cellFound(sh, &o.k, &o.f); ok && !c.sameValue(o.was) {
			return fmt.Errorf("a reader of %.16q that was stopped in the middle believes in %v, it was at %v", o.key, c, o.was)
		}
	}
	for i, at := range o.walks {
		var f found
		var from atomic.Uint64
		from.Store(at.link)
		v := sh.walk(&o.k, &f, &from)
		if v == unsure || sh.header.seq.Load() != at.seq {
			continue
		}
		if v == absent {
			if !past.absent[o.key] {
				return fmt.Errorf("a walk to %.16q that was stopped at link %d does not find it", o.key, i)
			}
			continue
		}
		f.seq = at.seq
		if c, ok := cellFound(sh, &o.k, &f); ok && !past.has(o.key, c) {
			return fmt.Errorf("a walk to %.16q that was stopped at link %d finds %v, which it never was", o.key, i, c)
		}
	}
	return nil
}

// addLate swaps the word that was found, as an add does that was stopped just
// before it. An add to what has expired since happened before that.
func (o *onlooker) addLate(s *Store) (added bool) {
	if o.f.e == nil || kindOf(o.f.word) != kindNarrow || o.f.expired(s.region) {
		return false
	}
	v := valueOf(o.f.word)
	gen, ok := nextGen(genOf(o.f.word), v, v+1, o.f.version)
	if !ok || !fitsNarrow(v+1) || !o.f.e.word.CompareAndSwap(o.f.word, narrowWord(gen, v+1)) {
		return false
	}
	now := found{expiry: o.f.e.expiry.Load()}
	return !now.expired(s.region)
}

// bygones is what each watched key has been.
type bygones struct {
	cells  map[string][]cell
	absent map[string]bool
}

func newBygones() bygones { return bygones{cells: map[string][]cell{}, absent: map[string]bool{}} }

func (h bygones) add(keys []string, w world) {
	for _, key := range keys {
		c, visible := w.get(key)
		h.absent[key] = h.absent[key] || !visible
		if _, there := w.keys[key]; there && !slices.Contains(h.cells[key], c) {
			h.cells[key] = append(h.cells[key], c)
		}
	}
}

// has leaves a counter's exact value aside: others add to it.
func (h bygones) has(key string, c cell) bool {
	return slices.ContainsFunc(h.cells[key], func(was cell) bool {
		return was.integer == c.integer && was.bytes == c.bytes
	})
}

// peek reads a key without the lock, as everybody may while a dead process
// holds it. It is not sure where only the lock would tell.
func peek(s *Store, key string) (c cell, there, sure bool) {
	var k target
	var f found
	k.aim([]byte(key), s.seed)
	sh := s.shardOf(&k)
	switch sh.find(&k, &f) {
	case unsure:
		return c, false, false
	case absent:
		return c, false, true
	}
	if f.expired(s.region) {
		return c, false, true
	}
	if kindOf(f.word) == kindWide {
		return c, false, false
	}
	c, sure = cellFound(sh, &k, &f)
	return c, true, sure
}

// addNow adds 1 if that is possible without the lock: what a living process
// does while a dead one's change is half done.
func addNow(s *Store, key string) (added bool) {
	var k target
	var f found
	k.aim([]byte(key), s.seed)
	return s.addUnlocked(s.shardOf(&k), &k, &f, 1)
}
