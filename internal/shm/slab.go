package shm

// A slab's use word: bump<<40 | (free item+1)<<24 | used<<8 | class. Items
// below bump were handed out before; those of them that are free are linked
// from free, each through its entry.link. Items from bump up were never used.

type slabUse struct {
	class, used, free, bump uint64
}

func unpackUse(w uint64) slabUse {
	return slabUse{class: w & 0xff, used: w >> 8 & 0xffff, free: w >> 24 & 0xffff, bump: w >> 40 & 0xffff}
}

func (u slabUse) pack() uint64 { return u.class | u.used<<8 | u.free<<24 | u.bump<<40 }

func (u slabUse) capacity() uint64 { return slabSize / classSize(u.class) }

// sound says whether a slab's word can be true of a class that there is.
func (u slabUse) sound() bool {
	return classSize(u.class) != 0 && u.bump <= u.capacity() && u.used <= u.bump && u.free <= u.bump
}

func packLinks(next, prev uint64) uint64 { return next<<32 | prev }

func unpackLinks(w uint64) (next, prev uint64) { return w >> 32, w & 0xffffffff }

// takenLocked says whether slab n is one that was ever taken, as every link in
// a list must say. It makes t bad otherwise.
func (sh *shard) takenLocked(t *redo, n uint64) bool {
	if fresh := t.get(sh, sh.offsetOf(freshAt)); n < fresh && fresh <= uint64(len(sh.slabs)) {
		return true
	}
	t.bad = true
	return false
}

// takeLocked reserves an item of the class in t and returns its offset. The
// item is still free until t is committed: it may be filled, except for its
// link. ok is false when the shard has no room, or t is bad.
func (sh *shard) takeLocked(t *redo, class uint64) (off uint64, ok bool) {
	head := t.get(sh, sh.partialOff(class))
	if head == 0 {
		if head, ok = sh.assignLocked(t, class); !ok {
			return 0, false
		}
	}
	n := head - 1
	if !sh.takenLocked(t, n) {
		return 0, false
	}
	use := unpackUse(t.get(sh, sh.useOff(n)))
	if use.class != class || !use.sound() || use.used == use.capacity() {
		t.bad = true
		return 0, false
	}
	item := use.bump
	if use.free != 0 {
		item = use.free - 1
		if use.free = t.get(sh, sh.itemOff(n, class, item)+linkAt); use.free > use.bump {
			t.bad = true
			return 0, false
		}
	} else {
		use.bump++
	}
	use.used++
	t.set(sh.useOff(n), use.pack())
	if use.used == use.capacity() {
		sh.unlinkSlabLocked(t, class, n)
	}
	return sh.itemOff(n, class, item), true
}

// giveLocked returns an item to its slab in t, and an empty slab to the pool,
// for any class, unless it is the last of its class with room.
func (sh *shard) giveLocked(t *redo, off uint64) {
	n := (off - sh.items) / slabSize
	if !sh.takenLocked(t, n) {
		return
	}
	use := unpackUse(t.get(sh, sh.useOff(n)))
	if !use.sound() || use.used == 0 {
		t.bad = true
		return
	}
	full := use.used == use.capacity()
	if next, prev := unpackLinks(t.get(sh, sh.linksOff(n))); use.used == 1 && (next != 0 || prev != 0) {
		sh.unlinkSlabLocked(t, use.class, n)
		t.set(sh.useOff(n), 0)
		t.set(sh.linksOff(n), packLinks(t.get(sh, sh.offsetOf(poolAt)), 0))
		t.set(sh.offsetOf(poolAt), n+1)
		return
	}
	t.set(off+linkAt, use.free)
	use.free = (off-sh.items)%slabSize/classSize(use.class) + 1
	use.used--
	t.set(sh.useOff(n), use.pack())
	if full {
		sh.linkSlabLocked(t, use.class, n)
	}
}

// assignLocked gives a slab that nobody uses to the class: one from the pool,
// or the next that was never taken.
func (sh *shard) assignLocked(t *redo, class uint64) (slabPlus1 uint64, ok bool) {
	poolOff, freshOff := sh.offsetOf(poolAt), sh.offsetOf(freshAt)
	if head := t.get(sh, poolOff); head != 0 {
		if !sh.takenLocked(t, head-1) {
			return 0, false
		}
		next, _ := unpackLinks(t.get(sh, sh.linksOff(head-1)))
		t.set(poolOff, next)
		slabPlus1 = head
	} else if fresh := t.get(sh, freshOff); fresh < uint64(len(sh.slabs)) {
		t.set(freshOff, fresh+1)
		slabPlus1 = fresh + 1
	} else {
		return 0, false
	}
	t.set(sh.useOff(slabPlus1-1), slabUse{class: class}.pack())
	sh.linkSlabLocked(t, class, slabPlus1-1)
	return slabPlus1, true
}

// linkSlabLocked puts a slab with a free item at the head of its class's list.
func (sh *shard) linkSlabLocked(t *redo, class, n uint64) {
	head := t.get(sh, sh.partialOff(class))
	t.set(sh.linksOff(n), packLinks(head, 0))
	if head != 0 && sh.takenLocked(t, head-1) {
		next, _ := unpackLinks(t.get(sh, sh.linksOff(head-1)))
		t.set(sh.linksOff(head-1), packLinks(next, n+1))
	}
	t.set(sh.partialOff(class), n+1)
}

// unlinkSlabLocked takes a slab that became full off its class's list.
func (sh *shard) unlinkSlabLocked(t *redo, class, n uint64) {
	next, prev := unpackLinks(t.get(sh, sh.linksOff(n)))
	if prev == 0 {
		t.set(sh.partialOff(class), next)
	} else if sh.takenLocked(t, prev-1) {
		_, before := unpackLinks(t.get(sh, sh.linksOff(prev-1)))
		t.set(sh.linksOff(prev-1), packLinks(next, before))
	}
	if next != 0 && sh.takenLocked(t, next-1) {
		after, _ := unpackLinks(t.get(sh, sh.linksOff(next-1)))
		t.set(sh.linksOff(next-1), packLinks(after, prev))
	}
	t.set(sh.linksOff(n), 0)
}
