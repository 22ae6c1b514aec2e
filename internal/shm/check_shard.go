package shm

import "math/bits"

// shardCheck verifies copies of shards, one after the other.
type shardCheck struct {
	snapshot
	sb     *superblock
	report *Report

	owner    []uint32        // of each unit: the line of its entry + 1
	versions map[uint64]bool // of its entries
	chained  [][]byte        // keys of the bucket, in keys
	keys     []byte
	data     []byte // of the last value
	entries  uint64
	expiring uint64
	used     uint64 // units
}

func (c *shardCheck) run(report *Report) {
	c.report, c.entries, c.expiring, c.used = report, 0, 0, 0
	clear(c.versions)
	if work := c.pending(); work != "" {
		c.report.Pending = append(c.report.Pending, work)
	}
	sh := c.shard
	if uint64(len(c.owner)) < sh.unitsN {
		c.owner = make([]uint32, sh.unitsN)
	}
	clear(c.owner)
	for b := range uint64(len(sh.buckets)) {
		c.bucket(b)
	}
	c.report.Entries += c.entries
	c.report.Used += c.used * unitSize
	if c.held {
		return // what follows is derived, and made anew by whoever recovers
	}
	c.count(entriesAt, "entries", c.entries)
	c.count(expiringAt, "entries that expire", c.expiring)
	c.count(usedAt, "units in use", c.used)
	c.bitmap()
	c.freeLines()
}

const (
	versionsAt = 8 // in shardHeader
	entriesAt  = 16
	expiringAt = 24
	usedAt     = 32
)

func (c *shardCheck) violate(off uint64, format string, args ...any) {
	c.report.violate(c.shard.index, off, format, args...)
}

func (c *shardCheck) count(at uint64, what string, want uint64) {
	if got := c.at(c.shard.start + at); got != want {
		c.violate(c.shard.start+at, "counts %d %s, there are %d", got, what, want)
	}
}

// bucket verifies the entries of one bucket.
func (c *shardCheck) bucket(b uint64) {
	from := c.shard.bucketOff(b)
	c.chained, c.keys = c.chained[:0], c.keys[:0]
	for link := c.at(from); link != 0; link = c.at(from) {
		off := link & offsetMask
		if (off-c.shard.units)%lineSize != 0 || off-c.shard.units >= c.shard.unitsN*unitSize {
			c.violate(from, "link to %d, where no entry can be", off)
			return
		}
		if !c.claim(off, lineUnits, off) {
			c.violate(from, "link to %d, which is in use already", off)
			return
		}
		c.entry(b, off, link>>tagShift)
		from = off + linkAt
	}
}

// claim notes that n units from off belong to an entry. It fails where one of
// them belongs to another, or to the same.
func (c *shardCheck) claim(off, n, entry uint64) bool {
	first := (off - c.shard.units) / unitSize
	for i := first; i < first+n; i++ {
		if c.owner[i] != 0 {
			return false
		}
	}
	for i := first; i < first+n; i++ {
		c.owner[i] = uint32((entry-c.shard.units)/lineSize) + 1
	}
	c.used += n
	return true
}

// freeLines verifies that nobody could mistake a line for a counter.
func (c *shardCheck) freeLines() {
	for line := range c.shard.unitsN / lineUnits {
		off := c.shard.units + line*lineSize
		if c.owner[line*lineUnits] == 0 && c.at(off)>>63 != 0 {
			c.violate(off, "a line that is free begins as a counter does")
		}
	}
}

// bitmap verifies that the units in use are the ones that entries reach.
func (c *shardCheck) bitmap() {
	at := c.shard.start + c.sb.bitmapOff
	for i := range c.shard.unitsN / 64 {
		var want uint64
		for j := range uint64(64) {
			if c.owner[i*64+j] != 0 {
				want |= 1 << j
			}
		}
		if got := c.at(at + i*8); got != want {
			lost, shared := bits.OnesCount64(got&^want), bits.OnesCount64(want&^got)
			c.violate(at+i*8, "of units %d to %d, %d are leaked: in use, and nobody's; %d are somebody's and not in use",
				i*64, i*64+63, lost, shared)
		}
	}
}
