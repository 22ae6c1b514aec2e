package shm

import "sync/atomic"

// Every store to a live region goes through the functions of this file and
// fill, so that a build with crash points can stop before each one of them.
// These are atomic and sequentially consistent; what order they make is said
// where they are called.

func put(p *atomic.Uint64, v uint64) {
	crashpoint()
	p.Store(v)
}

func cas(p *atomic.Uint64, old, new uint64) bool {
	crashpoint()
	return p.CompareAndSwap(old, new)
}

func cas32(p *atomic.Uint32, old, new uint32) bool {
	crashpoint()
	return p.CompareAndSwap(old, new)
}

func swap32(p *atomic.Uint32, v uint32) uint32 {
	crashpoint()
	return p.Swap(v)
}

// add is for counters that belong to one writer, or that nobody reads exactly.
func add(p *atomic.Uint64, n uint64) {
	crashpoint()
	p.Add(n)
}

// putBits and dropBits are for words whose bits many processes change.
func putBits(p *atomic.Uint64, bits uint64) {
	crashpoint()
	p.Or(bits)
}

func dropBits(p *atomic.Uint64, bits uint64) {
	crashpoint()
	p.And(^bits)
}
