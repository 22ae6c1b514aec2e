//go:build !amd64 || race || crashpoints

package shm

import "sync/atomic"

// fill stores a word of memory that no entry reaches yet: in order after all
// stores before it, so that readers who are still there from an earlier life
// of the memory, and find this, find that seq has moved on.
func fill(p *atomic.Uint64, v uint64) { put(p, v) }
