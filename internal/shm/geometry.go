package shm

import (
	"fmt"
	"math/bits"
)

// Geometry is what a new region is made to.
type Geometry struct {
	Size  int64 // bytes of the file
	Slots int   // worker processes that may be attached at once, 1 to MaxSlots
	// MaxValue is the largest value in bytes that an empty shard has to hold, and
	// to hold again beside it while it is replaced; up to DefaultMaxValue it holds
	// that, or less where the region is too small.
	MaxValue int64
}

const (
	// MinSize is the smallest region in bytes.
	MinSize = 1 << 20
	// maxSize keeps the units of one shard within the 32 bits of an extent's
	// next, and offsets within 48.
	maxSize = 1 << 44

	// shardTarget is the size below which a shard is not split further.
	shardTarget = 2 << 20
	// shardLimit is the size above which there are more shards than workers
	// need, so that recovery of one takes milliseconds.
	shardLimit = 16 << 20
	maxShards  = 1 << 16 // bits of the hash
	// bucketShare is how many bytes of a shard there are for one bucket:
	// entries alone make chains of five, mixed values shorter ones.
	bucketShare = 320
	// bitmapGroup units share one word of marks and two of the bitmap.
	bitmapGroup = 128
)

// plan computes every size and offset of a region into its superblock.
func (g Geometry) plan() (superblock, error) {
	if g.Slots < 1 || g.Slots > MaxSlots {
		return superblock{}, fmt.Errorf("%w: %d worker slots, 1 to %d are possible", ErrGeometry, g.Slots, MaxSlots)
	}
	if g.Size > maxSize {
		return superblock{}, fmt.Errorf("%w: %d bytes, at most %d are possible", ErrGeometry, g.Size, int64(maxSize))
	}
	if g.MaxValue < 0 || g.MaxValue > MaxMaxValue {
		return superblock{}, fmt.Errorf("%w: values of %d bytes, at most %d are possible", ErrGeometry, g.MaxValue, MaxMaxValue)
	}
	sb := superblock{slots: uint32(g.Slots), maxValue: uint64(g.MaxValue)}
	sb.scoreboard = pageSize
	// Neighbours' lines are fetched in pairs: no pair is of two slots.
	sb.meters = roundUp(sb.scoreboard+uint64(g.Slots+MasterSlots)*slotSize, 2*cacheLine)
	sb.shardsOff = roundUp(sb.meters+uint64(g.Slots)*meterSize, pageSize)
	if g.Size < MinSize || uint64(g.Size) < sb.shardsOff+shardTarget/4 {
		return superblock{}, fmt.Errorf("%w: %d bytes, at least %d are needed for %d worker slots", ErrGeometry,
			g.Size, max(MinSize, sb.shardsOff+shardTarget/4), g.Slots)
	}
	sb.size = uint64(g.Size) &^ (pageSize - 1)
	most := max(sb.maxValue, DefaultMaxValue)
	sb.shards = shardCount(sb.size, g.Slots)
	for sb.split(); sb.shards > 1 && sb.largestValue() < most; sb.split() {
		sb.shards /= 2
	}
	if most := sb.largestValue(); sb.maxValue > most {
		return superblock{}, fmt.Errorf("%w: a region of %d bytes holds values of up to %d bytes, so that each can be replaced; %d are asked for",
			ErrGeometry, sb.size, most, sb.maxValue)
	}
	return sb, nil
}

// split computes the parts of a shard from how many shards there are.
func (sb *superblock) split() {
	sb.shardSize = (sb.size - sb.shardsOff) / uint64(sb.shards) &^ (pageSize - 1)
	sb.buckets = sb.shardSize / bucketShare
	sb.bitmapOff = headerSize + sb.buckets*8
	sb.units = (sb.shardSize - sb.bitmapOff) / (bitmapGroup*unitSize + 24) * bitmapGroup
	for {
		sb.marksOff = sb.bitmapOff + sb.units/8
		sb.unitsOff = roundUp(sb.marksOff+sb.units/lineUnits/8, lineSize)
		if sb.unitsOff+sb.units*unitSize <= sb.shardSize {
			break
		}
		sb.units -= bitmapGroup
	}
}

// shardCount is a power of two: four shards for each possible worker, and more
// in large regions.
func shardCount(size uint64, slots int) uint32 {
	most := uint64(1) << bits.Len64(uint64(4*slots-1))
	for most < size/shardLimit && most < maxShards {
		most *= 2
	}
	fit := max(size/shardTarget, 1)
	return uint32(min(most, uint64(1)<<(bits.Len64(fit)-1)))
}

// largestValue is the most bytes that one value can have: an empty shard holds it
// with the longest key, and once more while it is replaced.
func (sb *superblock) largestValue() uint64 {
	key := lineUnits + unitsFor(MaxKey-keyInline)
	return capacityOf((sb.units-sb.units/reserveShare)/2 - key - runsCut)
}

// runsCut is how many units more a chain may take than one in a single run: what
// is free may be cut by the entry, by the key's chain and by where the hands are.
const runsCut = 4

func roundUp(n, to uint64) uint64 { return (n + to - 1) / to * to }
