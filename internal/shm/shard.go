package shm

import "sync/atomic"

// shard is a process's handle on one shard of the region: where its parts are,
// which any number of goroutines share; and where the lock holder looks for
// memory.
type shard struct {
	mem     memory
	header  *shardHeader
	buckets []atomic.Uint64
	bitmap  []atomic.Uint64
	marks   []atomic.Uint64
	units   uint64 // offset of unit 0
	unitsN  uint64
	start   uint64 // offset of the shard
	index   int
	base    uint64 // version before the region's first
	bucket0 uint64 // offset of the buckets

	_ [cacheLine]byte
	hands
}

func newShard(m memory, sb *superblock, index int) shard {
	start := sb.shardsOff + uint64(index)*sb.shardSize
	return shard{
		mem:     m,
		header:  m.header(start),
		buckets: m.words(start+headerSize, sb.buckets),
		bitmap:  m.words(start+sb.bitmapOff, sb.units/64),
		marks:   m.words(start+sb.marksOff, sb.units/lineUnits/64),
		units:   start + sb.unitsOff,
		unitsN:  sb.units,
		start:   start,
		index:   index,
		base:    uint64(sb.createdAt),
		bucket0: start + headerSize,
	}
}

// hands are where a process looks for free memory next: words of the bitmap, for
// lines counted from the end. Any value is as good, in time. Each process has
// its own, because memory that it used last is in its own caches.
type hands struct{ unit, line uint64 }

// handShare is how many words of the bitmap are between the hands of processes
// when they begin: a cache line.
const handShare = cacheLine / 8

// handsOf are those that the process in a slot begins with.
func handsOf(slot int) hands {
	at := uint64(slot) * handShare
	return hands{unit: at, line: at}
}

// setHands is for the first process of this handle; tests have more.
func (r *Region) setHands(slot int) {
	for i := range r.shards {
		r.shards[i].hands = handsOf(slot)
	}
}

func (sh *shard) bucketOff(b uint64) uint64 { return sh.bucket0 + b*8 }

// unitOff is where unit n is.
func (sh *shard) unitOff(n uint64) uint64 { return sh.units + n*unitSize }

// lineOf is the number of the line that an entry is.
func (sh *shard) lineOf(off uint64) uint64 { return (off - sh.units) / lineSize }

// isLine says whether off can be an entry's. Links read without the lock may
// be anything that the memory ever held.
func (sh *shard) isLine(off uint64) bool {
	return (off-sh.units)%lineSize == 0 && off-sh.units < sh.unitsN*unitSize
}
