//go:build amd64 && !race && !crashpoints

package shm

import (
	"sync/atomic"
	"unsafe"
)

// fill stores a word of memory that no entry reaches yet. The store that links
// it comes later and is atomic, and this architecture shows stores in their
// order, as the compiler keeps them: so a plain store, at a fifth of the price.
// Readers who are still there from an earlier life of the memory read whole
// words, and find that seq has moved on.
func fill(p *atomic.Uint64, v uint64) { *(*uint64)(unsafe.Pointer(p)) = v }

// note stores a word that the lock holder alone goes by. Freeing the lock, which
// is atomic, hands it on; who looks at it without the lock only looks whether it
// has moved.
func note(p *atomic.Uint64, v uint64) { *(*uint64)(unsafe.Pointer(p)) = v }

// fillWords fills words with b, zero padded, and returns the rest of it.
func fillWords(words []atomic.Uint64, b []byte) (rest []byte) {
	to := bytesOfWords(words)
	n := copy(to, b)
	clear(to[n:])
	return b[n:]
}

// copyWords copies words to dst, as far as it goes, and returns how many bytes.
// The caller finds out whether they changed meanwhile, so they need not be read
// whole: this architecture does its loads in their order.
func copyWords(dst []byte, words []atomic.Uint64) (n int) { return copy(dst, bytesOfWords(words)) }

func bytesOfWords(words []atomic.Uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*8)
}
