package shm

import (
	"fmt"
	"math/bits"
)

// Geometry is what a new region is made to.
type Geometry struct {
	Size  int64 // bytes of the file
	Slots int   // worker processes that may be attached at once, 1 to MaxSlots
}

const (
	// MinSize is the smallest region in bytes.
	MinSize = 1 << 20
	// maxSize keeps the slabs of one shard, of four at the least, within the 32
	// bits of a link between them, and offsets within 48.
	maxSize = 1 << 44

	// shardTarget is the size below which a shard is not split further: the
	// largest value has to fit one shard.
	shardTarget = 2 << 20
	// bucketShare is how many bytes of a shard there are for one bucket:
	// entries of 64 bytes alone make chains of four, mixed values shorter ones.
	bucketShare = 256
)

// plan computes every size and offset of a region into its superblock.
func (g Geometry) plan() (superblock, error) {
	if g.Slots < 1 || g.Slots > MaxSlots {
		return superblock{}, fmt.Errorf("%w: %d worker slots, 1 to %d are possible", ErrGeometry, g.Slots, MaxSlots)
	}
	if g.Size > maxSize {
		return superblock{}, fmt.Errorf("%w: %d bytes, at most %d are possible", ErrGeometry, g.Size, int64(maxSize))
	}
	sb := superblock{slots: uint32(g.Slots)}
	sb.scoreboard = pageSize
	sb.args = roundUp(sb.scoreboard+uint64(g.Slots+MasterSlots)*slotSize, pageSize)
	sb.shardsOff = roundUp(sb.args+argsSize, pageSize)
	if g.Size < MinSize || uint64(g.Size) < sb.shardsOff+shardTarget/4 {
		return superblock{}, fmt.Errorf("%w: %d bytes, at least %d are needed for %d worker slots", ErrGeometry,
			g.Size, max(MinSize, sb.shardsOff+shardTarget/4), g.Slots)
	}
	sb.size = uint64(g.Size) &^ (pageSize - 1)
	sb.shards = shardCount(uint64(g.Size), g.Slots)
	sb.shardSize = (sb.size - sb.shardsOff) / uint64(sb.shards) &^ (pageSize - 1)
	sb.buckets = sb.shardSize / bucketShare
	sb.slabsOff = headerSize + sb.buckets*8
	sb.slabs = (sb.shardSize - sb.slabsOff) / (slabSize + 16)
	for {
		sb.itemsOff = roundUp(sb.slabsOff+sb.slabs*16, pageSize)
		if sb.itemsOff+sb.slabs*slabSize <= sb.shardSize {
			return sb, nil
		}
		sb.slabs--
	}
}

// shardCount is a power of two: four shards for each possible worker, as long
// as each has about shardTarget bytes.
func shardCount(size uint64, slots int) uint32 {
	most := uint64(1) << bits.Len64(uint64(4*slots-1))
	fit := max(size/shardTarget, 1)
	return uint32(min(most, uint64(1)<<(bits.Len64(fit)-1)))
}

func roundUp(n, to uint64) uint64 { return (n + to - 1) / to * to }
