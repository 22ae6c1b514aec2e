package shm

import (
	"encoding/binary"
	"math/bits"
)

const (
	mulA = 0x9e3779b97f4a7c15
	mulB = 0xd6e8feb86659fd93
	mulC = 0xa0761d6478bd642f
)

// fold multiplies to 128 bits and folds the halves: each bit of the result
// depends on all bits of both factors (the step that wyhash is made of).
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// hashKey is the same in every process of a region: its seed is drawn when the
// region is created, so that keys chosen by strangers cannot be aimed at one
// bucket. 64 bits: up to 16 for the shard, 16 for the tag, 32 for the bucket,
// the lowest 22 of which are in the entry too. It returns the last 0 to 7 bytes
// as a word, which a comparison needs again.
func hashKey(key []byte, seed uint64) (hash, last uint64) {
	h, n := seed^mulC, uint64(len(key))
	for len(key) >= 8 {
		h = fold(h^binary.LittleEndian.Uint64(key), mulA)
		key = key[8:]
	}
	last = tail(key)
	return fold(h^last, mulB^n), last
}

// tail is the last 0 to 7 bytes of a key or value as one little-endian word.
func tail(b []byte) uint64 {
	switch n := len(b); {
	case n >= 4:
		lo := uint64(binary.LittleEndian.Uint32(b))
		hi := uint64(binary.LittleEndian.Uint32(b[n-4:]))
		return lo | hi<<(uint(n-4)*8)
	case n >= 2:
		lo := uint64(binary.LittleEndian.Uint16(b))
		hi := uint64(binary.LittleEndian.Uint16(b[n-2:]))
		return lo | hi<<(uint(n-2)*8)
	case n == 1:
		return uint64(b[0])
	}
	return 0
}
