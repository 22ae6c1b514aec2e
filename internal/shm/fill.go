//go:build !amd64 || race || crashpoints

package shm

import (
	"encoding/binary"
	"sync/atomic"
)

// fill stores a word of memory that no entry reaches yet: in order after all
// stores before it, so that readers who are still there from an earlier life
// of the memory, and find this, find that seq has moved on.
func fill(p *atomic.Uint64, v uint64) { put(p, v) }

// note stores a word that the lock holder alone goes by.
func note(p *atomic.Uint64, v uint64) { put(p, v) }

// fillWords fills words with b, zero padded, and returns the rest of it.
func fillWords(words []atomic.Uint64, b []byte) (rest []byte) {
	for i := range words {
		var w uint64
		w, b = nextWord(b)
		fill(&words[i], w)
	}
	return b
}

// copyWords copies words to dst, as far as it goes, and returns how many bytes.
func copyWords(dst []byte, words []atomic.Uint64) (n int) {
	for i := 0; i < len(words) && n < len(dst); i++ {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], words[i].Load())
		n += copy(dst[n:], word[:])
	}
	return n
}
