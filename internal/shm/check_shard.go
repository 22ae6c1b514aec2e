package shm

import "encoding/binary"

// shardCheck verifies the copy of one shard.
type shardCheck struct {
	*snapshot
	report *Report
	sb     *superblock

	fresh   uint64
	inList  []bool // slabs found in a partial list or in the pool
	free    []bool // items on a slab's free list, by line
	linked  []bool // entries reached from a bucket, by line
	entries uint64 // that are linked
	used    uint64
	key     []byte // of the last entry
	chained []uint64
}

// line is the number of the line at off, among the shard's items.
func (c *shardCheck) line(off uint64) uint64 { return (off - c.shard.items) / lineSize }

func (c *shardCheck) run() {
	c.report.Pending = append(c.report.Pending, c.unfinished()...)
	sh := c.shard
	if c.bad != nil {
		c.violate(sh.start, "%v", c.bad)
		return
	}
	c.fresh = c.at(sh.offsetOf(freshAt))
	if c.fresh > uint64(len(sh.slabs)) {
		c.violate(sh.offsetOf(freshAt), "%d slabs taken of %d", c.fresh, len(sh.slabs))
		return
	}
	c.report.Slabs += c.fresh
	c.inList = make([]bool, len(sh.slabs))
	c.free = make([]bool, c.fresh*slabSize/lineSize)
	c.linked = make([]bool, c.fresh*slabSize/lineSize)
	c.lists()
	for n := range uint64(len(sh.slabs)) {
		c.slab(n)
	}
	for b := range uint64(len(sh.buckets)) {
		c.chain(b)
	}
	c.reachable()
	entries := c.at(sh.offsetOf(entriesAt))
	if entries != c.entries {
		c.violate(sh.offsetOf(entriesAt), "counts %d entries, %d are linked", entries, c.entries)
	}
	c.report.Entries += c.entries
}

func (c *shardCheck) violate(off uint64, format string, args ...any) {
	c.report.violate(c.shard.index, off, format, args...)
}

// lists walks the pool and each class's list of slabs with a free item.
func (c *shardCheck) lists() {
	sh := c.shard
	c.list(sh.offsetOf(poolAt), 0, false)
	for class := range uint64(maxClasses) {
		head := sh.partialOff(class)
		if classSize(class) == 0 && c.at(head) != 0 {
			c.violate(head, "a list for class %d, which there is not", class)
			continue
		}
		c.list(head, class, true)
	}
}

func (c *shardCheck) list(head, class uint64, doubly bool) {
	prev := uint64(0)
	for link := c.at(head); link != 0; {
		n := link - 1
		if n >= c.fresh {
			c.violate(head, "list of class %d leads to slab %d, of %d taken", class, n, c.fresh)
			return
		}
		if c.inList[n] {
			c.violate(head, "slab %d is in two lists, or twice in one", n)
			return
		}
		c.inList[n] = true
		if use := unpackUse(c.at(c.shard.useOff(n))); use.class != class {
			c.violate(c.shard.useOff(n), "slab %d of class %d is in the list of class %d", n, use.class, class)
		}
		next, back := unpackLinks(c.at(c.shard.linksOff(n)))
		if back != prev {
			c.violate(c.shard.linksOff(n), "slab %d says %d is before it in its list, it is %d", n, back, prev)
		}
		if doubly {
			prev = link
		}
		link = next
	}
}

// slab verifies one descriptor and the free list of its items.
func (c *shardCheck) slab(n uint64) {
	off := c.shard.useOff(n)
	use := unpackUse(c.at(off))
	if use.class == 0 {
		if c.at(off) != 0 {
			c.violate(off, "slab %d has items but no class", n)
		}
		if n < c.fresh && !c.inList[n] {
			c.violate(off, "slab %d is lost: taken, but in no list", n)
		}
		return
	}
	if n >= c.fresh {
		c.violate(off, "slab %d is used, only %d were taken", n, c.fresh)
		return
	}
	if classSize(use.class) == 0 {
		c.violate(off, "slab %d has class %d, which there is not", n, use.class)
		return
	}
	if use.pack() != c.at(off) || use.bump > use.capacity() || use.used > use.bump {
		c.violate(off, "slab %d uses %d of %d items, %d handed out", n, use.used, use.capacity(), use.bump)
		return
	}
	if full := use.used == use.capacity(); full == c.inList[n] {
		c.violate(off, "slab %d with %d of %d items used: in the list of its class is %v", n, use.used, use.capacity(), c.inList[n])
	}
	free := uint64(0)
	for link := use.free; link != 0; free++ {
		item := c.shard.itemOff(n, use.class, link-1)
		if link > use.bump || c.free[c.line(item)] {
			c.violate(off, "the free list of slab %d leads to item %d twice or beyond %d", n, link-1, use.bump)
			return
		}
		c.free[c.line(item)] = true
		link = c.at(item + linkAt)
	}
	if free != use.bump-use.used {
		c.violate(off, "slab %d has %d free items in its list, %d by its counts", n, free, use.bump-use.used)
	}
	c.used += use.used
}

// chain verifies the entries of one bucket.
func (c *shardCheck) chain(b uint64) {
	from := c.shard.bucketOff(b)
	c.chained = c.chained[:0]
	for link := c.at(from); link != 0; {
		off := link & offsetMask
		size, ok := c.item(off)
		if !ok {
			c.violate(from, "link to %d, where no item is in use", off)
			return
		}
		if c.linked[c.line(off)] {
			c.violate(from, "entry at %d is linked twice", off)
			return
		}
		c.linked[c.line(off)] = true
		c.entries++
		key, ok := c.entry(off, size)
		if ok {
			for _, other := range c.chained {
				if c.sameKey(off, other) {
					c.violate(off, "key %q is there twice", key)
				}
			}
			c.chained = append(c.chained, off)
			var k target
			k.aim(key, c.sb.hashSeed)
			if home := k.hash >> shardShift(c.sb.shards); k.bucket(len(c.shard.buckets)) != b || home != uint64(c.shard.index) {
				c.violate(off, "key %q is not where its hash leads", key)
			}
			if link>>tagShift != k.tag() || c.at(off+metaAt) != k.meta {
				c.violate(off, "key %q does not match its tag or its meta word", key)
			}
		}
		from = off + linkAt
		link = c.at(from)
	}
}

const metaAt = 24

// item reports the size of the item that begins at off and is in use.
func (c *shardCheck) item(off uint64) (size uint64, ok bool) {
	if !c.shard.contains(off, entryHead) {
		return 0, false
	}
	n := (off - c.shard.items) / slabSize
	use := unpackUse(c.at(c.shard.useOff(n)))
	size = classSize(use.class)
	if n >= c.fresh || size == 0 {
		return 0, false
	}
	within := (off - c.shard.items) % slabSize
	return size, within%size == 0 && within/size < use.bump && !c.free[c.line(off)]
}

// entry verifies one entry on its own and returns its key.
func (c *shardCheck) entry(off, size uint64) (key []byte, ok bool) {
	w := c.at(off)
	switch kindOf(w) {
	case kindDead:
		c.violate(off, "a dead entry is linked")
	case kindBytes:
		c.violate(off, "an entry of a kind that this release does not write")
	case kindWide:
		if valueOf(w) != 0 {
			c.violate(off, "a wide counter with a value in its word")
		}
	}
	if c.at(off+32) != 0 || c.at(off+40) != 0 {
		c.violate(off+32, "reserved words are not zero")
	}
	n := c.at(off+metaAt) & 0xffffffff
	if n < 1 || n > MaxKey || classSize(classFor(int(n))) != size {
		c.violate(off+metaAt, "a key of %d bytes in an item of %d", n, size)
		return nil, false
	}
	key = c.key[:0]
	for i := range int(n+7) / 8 {
		key = binary.LittleEndian.AppendUint64(key, c.at(off+uint64(keyWordAt(i))))
	}
	c.key = key
	for _, b := range key[n:] {
		if b != 0 {
			c.violate(off+entryHead, "a key is not padded with zeros")
			break
		}
	}
	return key[:n], true
}

// sameKey compares the keys of two entries, both of a length that is possible.
func (c *shardCheck) sameKey(a, b uint64) bool {
	if c.at(a+metaAt) != c.at(b+metaAt) {
		return false
	}
	n := c.at(a+metaAt) & 0xffffffff
	for i := range int(n+7) / 8 {
		if at := uint64(keyWordAt(i)); c.at(a+at) != c.at(b+at) {
			return false
		}
	}
	return true
}

// reachable verifies that every item in use hangs in a chain.
func (c *shardCheck) reachable() {
	for n := range c.fresh {
		use := unpackUse(c.at(c.shard.useOff(n)))
		if classSize(use.class) == 0 {
			continue
		}
		for i := range min(use.bump, use.capacity()) {
			off := c.shard.itemOff(n, use.class, i)
			if !c.linked[c.line(off)] && !c.free[c.line(off)] {
				c.violate(off, "item %d of slab %d is leaked: neither free nor linked", i, n)
			}
		}
	}
	if c.used != c.entries {
		c.violate(c.shard.slabsAt, "slabs count %d items in use, %d are linked", c.used, c.entries)
	}
}
