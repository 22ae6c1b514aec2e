package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
)

// FuzzDamage changes words anywhere in a populated region and uses it: whatever
// is found must be an answer or an error, never a crash, a hang or a step
// outside the mapping. Locks are left alone: a lock that names a process that
// never was is waited for, as it must be.
//
// Each 6 bytes of the input change one word: 3 of its place, 3 of its value.
func FuzzDamage(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 4, 0, 1, 0, 0})
	f.Add([]byte{0, 0, 1, 255, 255, 255, 16, 0, 2, 0, 0, 0})
	f.Fuzz(func(t *testing.T, wounds []byte) {
		r, err := NewHeap(Geometry{Size: MinSize, Slots: 1})
		if err != nil {
			t.Fatal(err)
		}
		r.sb.hashSeed = 1
		_, s := attached(t, r)
		for i := range 300 {
			if _, err := s.Set(fmt.Appendf(nil, "%0*d", 1+i*7%MaxKey, i), int64(i)<<(i%60)); err != nil {
				t.Fatal(err)
			}
		}
		sh := &r.shards[0]
		used := sh.items - sh.start + sh.header.fresh.Load()*slabSize
		for ; len(wounds) >= 6; wounds = wounds[6:] {
			at := uint64(wounds[0]) | uint64(wounds[1])<<8 | uint64(wounds[2])<<16
			off := sh.start + cacheLine + at*8%(used-cacheLine)
			w := r.mem.word(off)
			var v [8]byte
			binary.LittleEndian.PutUint64(v[:], w.Load())
			v[wounds[3]%8] = wounds[4]
			v[wounds[3]/8%8] ^= wounds[5]
			w.Store(binary.LittleEndian.Uint64(v[:]))
		}
		if sh.header.seq.Load()&1 == 1 {
			sh.header.seq.Add(1) // odd for good: readers take the lock, which is tried below anyway
		}
		r.Check()
		for i := range 320 {
			key := fmt.Appendf(nil, "%0*d", 1+i*7%MaxKey, i)
			for name, do := range map[string]func() error{
				"Get":    func() error { _, err := s.Get(key); return err },
				"Add":    func() error { _, err := s.Add(key, 1, 0); return err },
				"Set":    func() error { _, err := s.Set(key, 1<<50); return err },
				"Take":   func() error { _, err := s.Take(key); return err },
				"Delete": func() error { _, err := s.Delete(key); return err },
			} {
				switch err := do(); {
				case err == nil, errors.Is(err, ErrCorrupt), errors.Is(err, ErrNotFound), errors.Is(err, ErrFull), errors.Is(err, ErrOverflow):
				default:
					t.Fatalf("%s: %v", name, err)
				}
			}
		}
		r.Check()
	})
}
