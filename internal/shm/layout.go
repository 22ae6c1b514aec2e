package shm

import (
	"structs"
	"sync/atomic"
)

const (
	// LayoutVersion changes with any change of meaning of a byte of the region.
	LayoutVersion = 3
	// layoutFingerprint is a hash of every overlay's field offsets; the layout
	// test prints it when they change, and LayoutVersion must change with it.
	layoutFingerprint = 0x999c052b638e115b

	cacheLine = 64
	pageSize  = 4096

	// MasterSlots is the number of masters and tools that may be attached at once.
	MasterSlots = 16
	// MaxSlots bounds the worker slots of a region: a lock word has ten bits
	// for the slot of its owner.
	MaxSlots = 1000
	// MaxKey is the longest key in bytes.
	MaxKey = 512
	// DefaultMaxValue is the largest value in bytes where nothing else is said.
	DefaultMaxValue = 1 << 20
	// MaxMaxValue bounds what may be said.
	MaxMaxValue = 64 << 20

	slotSize   = 192
	meterSize  = 1024
	headerSize = 192

	unitSize  = 32
	lineSize  = 64
	lineUnits = lineSize / unitSize
	// maxExtent in units is what an extent's header has bits for: it begins 24
	// lines at most, beside its own.
	maxExtent = 48
)

// superblock is written once, before the file has a name, and never again, so
// it is read without atomics. Every byte of its page is under crc.
type superblock struct {
	_           structs.HostLayout
	magic       [8]byte
	version     uint32
	crc         uint32 // CRC-32C of the whole page with this field zero
	fingerprint uint64
	bootID      [16]byte
	instance    uint64
	hashSeed    uint64
	createdAt   int64 // Unix ns; also the version before the first
	size        uint64
	slots       uint32 // worker slots; MasterSlots more follow them
	shards      uint32 // a power of two
	maxValue    uint64 // that a shard was made to hold, 0: whatever fits
	scoreboard  uint64
	meters      uint64
	shardsOff   uint64
	shardSize   uint64
	buckets     uint64 // of one shard
	units       uint64 // of one shard, a multiple of 128
	bitmapOff   uint64 // from the shard's start, as the next two
	marksOff    uint64
	unitsOff    uint64
}

// slotRecord is a process's place in the scoreboard: the master's line, then
// the worker's, so that no beat and no connection touches a line that the master
// writes.
type slotRecord struct {
	_       structs.HostLayout
	control atomic.Uint64
	owner   atomic.Uint64
	pid     atomic.Uint64
	started atomic.Uint64
	spawns  atomic.Uint64
	deaths  atomic.Uint64
	_       [cacheLine - 48]byte

	state  atomic.Uint64
	beat   atomic.Uint64
	memory atomic.Uint64
	cpu    atomic.Uint64 // ns, of all processes that the slot has had
	_      [cacheLine - 32]byte

	connections atomic.Uint64
	_           [cacheLine - 8]byte
}

// meterRecord is what a worker's slot counts, all of it written by the slot's own
// process: no line of it is any other's.
type meterRecord struct {
	_       structs.HostLayout
	answers [MaxKinds][outcomes]atomic.Uint64
	latency [latencyBuckets]atomic.Uint64

	latencySum atomic.Uint64 // ns
	accepted   atomic.Uint64
	received   atomic.Uint64 // bytes
	sent       atomic.Uint64
	hits       atomic.Uint64
	misses     atomic.Uint64
	full       atomic.Uint64
	_          [cacheLine - 56]byte
}

// shardHeader keeps what the lock holder writes, what every lookup reads (seq),
// and what few touch, on lines of their own. The lock is on the first: who has
// it has the rest at once.
type shardHeader struct {
	_         structs.HostLayout
	lock      atomic.Uint32
	_         [4]byte
	versions  atomic.Uint64
	entries   atomic.Uint64
	expiring  atomic.Uint64
	used      atomic.Uint64
	clockHand atomic.Uint64
	carried   atomic.Uint64 // what a copy adds to versions, to go on with the writes of the original
	_         [cacheLine - 56]byte

	seq atomic.Uint64
	_   [cacheLine - 8]byte

	waits       atomic.Uint64 // times somebody slept for the lock
	longestWait atomic.Uint64 // ns
	longestHold atomic.Uint64 // ns, of the holds that were timed
	repairs     atomic.Uint64 // times a dead holder's work was made whole
	evictions   atomic.Uint64
	expiries    atomic.Uint64 // expired keys that were reclaimed
	sweptAt     atomic.Uint64 // ms; when somebody last began to look for expired keys
	sweepHand   atomic.Uint64 // bucket where that goes on
}

// entry is a line that holds a key.
type entry struct {
	_       structs.HostLayout
	word    atomic.Uint64
	link    atomic.Uint64
	wide    atomic.Uint64
	meta    atomic.Uint64
	expiry  atomic.Uint64
	version atomic.Uint64
	key     [keyWords]atomic.Uint64
}

const (
	// keyWords of a key are in its entry, keyInline bytes; the rest is in a chain.
	keyWords  = 2
	keyInline = keyWords * 8

	linkAt    = 8  // entry.link
	expiryAt  = 32 // entry.expiry
	versionAt = 40 // entry.version
	keyAt     = 48 // entry.key
)
