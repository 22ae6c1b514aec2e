package shm

import (
	"structs"
	"sync/atomic"
)

const (
	// LayoutVersion changes with any change of meaning of a byte of the region.
	LayoutVersion = 1
	// layoutFingerprint is a hash of every overlay's field offsets; the layout
	// test prints it when they change, and LayoutVersion must change with it.
	layoutFingerprint = 0xd4d4341c111871ed

	cacheLine = 64
	pageSize  = 4096

	// MasterSlots is the number of masters and tools that may be attached at once.
	MasterSlots = 16
	// MaxSlots bounds the worker slots of a region: a lock word has ten bits
	// for the slot of its owner.
	MaxSlots = 1000
	// MaxKey is the longest key in bytes.
	MaxKey = 512
	// MaxArgs is the room for the start-up arguments in bytes.
	MaxArgs = 64 << 10

	slotSize   = 256
	slabSize   = 4096
	maxPairs   = 31
	maxClasses = 32
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
	createdAt   int64 // Unix ns
	size        uint64
	slots       uint32 // worker slots; MasterSlots more follow them
	shards      uint32 // a power of two
	scoreboard  uint64
	args        uint64
	shardsOff   uint64
	shardSize   uint64
	buckets     uint64 // of one shard
	slabs       uint64 // of one shard
	slabsOff    uint64 // slab descriptors, from the shard's start
	itemsOff    uint64 // slab memory, from the shard's start
}

// slotRecord is a process's place in the scoreboard: the master's line, then
// the worker's, so that counting a request never touches a line that the
// master writes.
type slotRecord struct {
	_       structs.HostLayout
	control atomic.Uint64
	owner   atomic.Uint64
	pid     atomic.Uint64
	started atomic.Uint64
	spawns  atomic.Uint64
	_       [cacheLine - 40]byte

	state  atomic.Uint64
	beat   atomic.Uint64
	memory atomic.Uint64
	_      [cacheLine - 24]byte

	requests    atomic.Uint64
	errors      atomic.Uint64
	connections atomic.Uint64
	_           [2*cacheLine - 24]byte
}

// argsRecord holds the start-up arguments twice; the low bit of edition names
// the buffer that is valid, 0 means that none was ever set.
type argsRecord struct {
	_       structs.HostLayout
	lock    atomic.Uint32
	_       [cacheLine - 4]byte
	edition atomic.Uint64
	_       [cacheLine - 8]byte
	buffers [2]argsBuffer
}

type argsBuffer struct {
	_      structs.HostLayout
	length atomic.Uint64
	crc    atomic.Uint64
	_      [cacheLine - 16]byte
	data   [MaxArgs / 8]atomic.Uint64
}

type pair struct {
	_      structs.HostLayout
	offset atomic.Uint64 // kill is flagged in bit 0
	value  atomic.Uint64
}

// shardHeader keeps what contenders write (lock), what every lookup reads
// (seq) and what only the holder touches (the rest) on lines of their own.
type shardHeader struct {
	_       structs.HostLayout
	lock    atomic.Uint32
	_       [cacheLine - 4]byte
	seq     atomic.Uint64
	_       [cacheLine - 8]byte
	entries atomic.Uint64
	fresh   atomic.Uint64
	pool    atomic.Uint64
	waits   atomic.Uint64
	repairs atomic.Uint64
	_       [cacheLine - 40]byte
	partial [maxClasses]atomic.Uint64
	state   atomic.Uint64
	pairs   [maxPairs]pair
	_       [1024 - 448 - 8 - maxPairs*16]byte
}

// slab describes slabSize bytes that hold items of one class.
type slab struct {
	_     structs.HostLayout
	use   atomic.Uint64 // bump<<40 | free item+1<<24 | used<<8 | class; 0 unassigned
	links atomic.Uint64 // next slab+1<<32 | previous slab+1, in partial or pool
}

// entry is the head of an item that holds a key; the key's words follow it.
type entry struct {
	_      structs.HostLayout
	word   atomic.Uint64
	link   atomic.Uint64
	wide   atomic.Uint64
	meta   atomic.Uint64
	expiry atomic.Uint64
	body   atomic.Uint64
}

const (
	entryHead  = 48
	headerSize = 1024
)

// An entry is made of lines of lineSize bytes, each of which begins with a
// counter's word: the first line's is the entry's, the others' are dead and
// never touched, their generations with them. So a slab may change its class
// when it is empty, and a word stays a word for whoever comes late.
const lineSize = 64

// entryClasses are the item sizes for entries in bytes, by class 1 and up.
var entryClasses = [...]uint64{0, 64, 128, 192, 320, 640}

// keyRoom is how many bytes of key an entry of the class holds: what its lines
// have beside their words and the rest of the head.
func keyRoom(class uint64) uint64 {
	return entryClasses[class]/lineSize*(lineSize-8) - (entryHead - 8)
}

// classSize is the item size of a class, 0 for a class that does not exist.
func classSize(class uint64) uint64 {
	if class < uint64(len(entryClasses)) {
		return entryClasses[class]
	}
	return 0
}

// classFor is the smallest entry class that holds a key of n bytes, n <= MaxKey.
func classFor(n int) uint64 {
	class := uint64(1)
	for keyRoom(class) < uint64(n) {
		class++
	}
	return class
}
