package shm

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sync/atomic"
)

// SetArgs replaces the start-up arguments, for every process at once. The idle
// one of two buffers is filled, then published by one store: a death before it
// leaves the arguments as they were. Errors: ErrArgsTooLarge.
func (s *Store) SetArgs(b []byte) error {
	if len(b) > MaxArgs {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrArgsTooLarge, len(b), MaxArgs)
	}
	a := s.region.args()
	s.lockArgs(a)
	edition := a.edition.Load() + 1
	buf := &a.buffers[edition&1]
	put(&buf.length, uint64(len(b)))
	put(&buf.crc, uint64(crc32.Checksum(b, castagnoli)))
	for i := 0; len(b) > 0; i++ {
		var word [8]byte
		b = b[copy(word[:], b):]
		put(&buf.data[i], binary.LittleEndian.Uint64(word[:]))
	}
	put(&a.edition, edition)
	s.unlockArgs(a)
	return nil
}

// Args appends the start-up arguments to dst; it returns nil if none were ever
// set. It takes no lock: a buffer is rewritten only after the other one was
// published, which changes edition.
func (s *Store) Args(dst []byte) ([]byte, error) {
	a := s.region.args()
	for {
		edition := a.edition.Load()
		if edition == 0 {
			return nil, nil
		}
		buf := &a.buffers[edition&1]
		n := buf.length.Load()
		if n > MaxArgs {
			if a.edition.Load() != edition {
				continue
			}
			return nil, fmt.Errorf("%w: arguments of %d bytes", ErrCorrupt, n)
		}
		out := appendWords(dst, buf.data[:], int(n))
		if a.edition.Load() == edition {
			return out, nil
		}
	}
}

// appendWords copies n bytes out of words, 8 at a time.
func appendWords(dst []byte, words []atomic.Uint64, n int) []byte {
	for i := 0; n > 0; i, n = i+1, n-8 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], words[i].Load())
		dst = append(dst, word[:min(n, 8)]...)
	}
	return dst
}

// The arguments' lock follows the same rules as a shard's; a dead holder's
// work needs no repair, since the one store of edition is all there is.

func (s *Store) lockArgs(a *argsRecord) {
	s.localArgs.Lock()
	acquire(&a.lock, s.owner)
	unpin() // filling 64 KiB is too long to keep the scheduler waiting
}

func (s *Store) unlockArgs(a *argsRecord) {
	pin()
	release(&a.lock)
	s.localArgs.Unlock()
}

func (r *Region) args() *argsRecord { return r.mem.args(r.sb.args) }
