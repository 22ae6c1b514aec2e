package shm

import (
	"sync/atomic"
	"unsafe"
)

// The sizes that offsets are computed from, held at compile time: a negative
// constant does not convert to uint.
const (
	_ = uint(pageSize - unsafe.Sizeof(superblock{}))
	_ = uint(slotSize-unsafe.Sizeof(slotRecord{})) + uint(unsafe.Sizeof(slotRecord{})-slotSize)
	_ = uint(meterSize-unsafe.Sizeof(meterRecord{})) + uint(unsafe.Sizeof(meterRecord{})-meterSize)
	_ = uint(headerSize-unsafe.Sizeof(shardHeader{})) + uint(unsafe.Sizeof(shardHeader{})-headerSize)
	_ = uint(lineSize-unsafe.Sizeof(entry{})) + uint(unsafe.Sizeof(entry{})-lineSize)
)

// memory is the region's bytes. They are outside the Go heap, or in a slice
// that the handle keeps, so a pointer into them stays good while the handle is
// open. Every offset is checked by the caller: geometry is validated when a
// region is opened, links are checked where they are followed.
type memory struct {
	base unsafe.Pointer
	size uint64
}

func memoryOf(b []byte) memory {
	return memory{base: unsafe.Pointer(unsafe.SliceData(b)), size: uint64(len(b))}
}

// bytesOf lends a word-aligned heap area as bytes.
func bytesOf(words []uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*8)
}

func (m memory) superblock() *superblock { return (*superblock)(m.base) }

func (m memory) slot(off uint64) *slotRecord { return (*slotRecord)(unsafe.Add(m.base, off)) }

func (m memory) meters(off uint64) *meterRecord { return (*meterRecord)(unsafe.Add(m.base, off)) }

func (m memory) header(off uint64) *shardHeader { return (*shardHeader)(unsafe.Add(m.base, off)) }

func (m memory) entry(off uint64) *entry { return (*entry)(unsafe.Add(m.base, off)) }

func (m memory) word(off uint64) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Add(m.base, off)) }

func (m memory) words(off, n uint64) []atomic.Uint64 {
	return unsafe.Slice((*atomic.Uint64)(unsafe.Add(m.base, off)), n)
}

// page is the superblock's page as bytes.
func (m memory) page() []byte { return unsafe.Slice((*byte)(m.base), pageSize) }
