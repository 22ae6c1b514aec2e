package shm

import "sync/atomic"

// shard is a process's handle on one shard of the region: where its parts are.
// It holds no state of its own, so any number of goroutines share it.
type shard struct {
	mem     memory
	header  *shardHeader
	buckets []atomic.Uint64
	slabs   []slab
	items   uint64 // offset of slab 0's memory
	itemsN  uint64 // bytes of slab memory
	start   uint64 // offset of the shard
	size    uint64
	index   int
	slabsAt uint64 // offset of the slab descriptors
	bucket0 uint64 // offset of the buckets
}

func newShard(m memory, sb *superblock, index int) shard {
	start := sb.shardsOff + uint64(index)*sb.shardSize
	return shard{
		mem:     m,
		header:  m.header(start),
		buckets: m.words(start+headerSize, sb.buckets),
		slabs:   m.slabs(start+sb.slabsOff, sb.slabs),
		items:   start + sb.itemsOff,
		itemsN:  sb.slabs * slabSize,
		start:   start,
		size:    sb.shardSize,
		index:   index,
		slabsAt: start + sb.slabsOff,
		bucket0: start + headerSize,
	}
}

// offsetOf is the region offset of a field of this shard's header, for a redo
// record. at is its offset in shardHeader.
func (sh *shard) offsetOf(at uint64) uint64 { return sh.start + at }

const (
	entriesAt = 128
	freshAt   = 136
	poolAt    = 144
	partialAt = 192
	pairsAt   = 456
)

func (sh *shard) partialOff(class uint64) uint64 { return sh.start + partialAt + class*8 }

func (sh *shard) useOff(slab uint64) uint64 { return sh.slabsAt + slab*16 }

func (sh *shard) linksOff(slab uint64) uint64 { return sh.slabsAt + slab*16 + 8 }

func (sh *shard) bucketOff(b uint64) uint64 { return sh.bucket0 + b*8 }

// itemOff is where item i of a slab of this class is.
func (sh *shard) itemOff(slab, class, i uint64) uint64 {
	return sh.items + slab*slabSize + i*classSize(class)
}

// contains says whether n bytes at off are slab memory, word aligned. Links
// read without the lock may be anything that an item ever held.
func (sh *shard) contains(off, n uint64) bool {
	return off%8 == 0 && off-sh.items < sh.itemsN && n <= sh.itemsN-(off-sh.items)
}
