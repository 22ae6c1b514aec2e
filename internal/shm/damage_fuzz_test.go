package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"
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
	f.Add([]byte{16, 0, 0, 0, 255, 255, 17, 0, 0, 9, 1, 0}) // hands
	f.Fuzz(func(t *testing.T, wounds []byte) {
		r, s := damagedRegion(t, wounds)
		ended := make(chan string, 1)
		go func() { ended <- useDamaged(r, s) }()
		select {
		case what := <-ended:
			if what != "" {
				t.Fatal(what)
			}
		case <-time.After(time.Minute):
			panic("an operation on a damaged region does not end") // with all goroutines
		}
	})
}

const damagedKeys = 120

func damagedKey(i int) []byte { return fmt.Appendf(nil, "%0*d", 1+i*7%MaxKey, i) }

func damagedRegion(t *testing.T, wounds []byte) (*Region, *Store) {
	r, err := NewHeap(Geometry{Size: MinSize, Slots: 1})
	if err != nil {
		t.Fatal(err)
	}
	r.sb.hashSeed = 1
	_, s := attached(t, r)
	s.SetPolicy(Policy{Evict: len(wounds)%2 == 1})
	for i := range damagedKeys {
		p := checkPut(i)
		if i%5 == 0 {
			p.TTL = time.Millisecond // expired by now, or soon
		}
		if _, err := s.Put(damagedKey(i), p); err != nil {
			t.Fatal(err)
		}
	}
	sh := &r.shards[0]
	used := sh.units - sh.start + sh.unitsN*unitSize - cacheLine
	for ; len(wounds) >= 6; wounds = wounds[6:] {
		at := uint64(wounds[0]) | uint64(wounds[1])<<8 | uint64(wounds[2])<<16
		w := r.mem.word(sh.start + cacheLine + at*8%used)
		var v [8]byte
		binary.LittleEndian.PutUint64(v[:], w.Load())
		v[wounds[3]%8] = wounds[4]
		v[wounds[3]/8%8] ^= wounds[5]
		w.Store(binary.LittleEndian.Uint64(v[:]))
	}
	return r, s
}

// useDamaged does everything that can be done, and says what went wrong.
func useDamaged(r *Region, s *Store) string {
	r.Check()
	r.Stats()
	sh := &r.shards[0]
	value := BytesValue(make([]byte, 3000))
	for i := range damagedKeys + 10 {
		key := damagedKey(i)
		for name, do := range map[string]func() error{
			"Get":       func() error { _, err := s.Get(key); return err },
			"Read":      func() error { _, err := s.Read(nil, key); return err },
			"Add":       func() error { _, err := s.Add(key, 1, 0); return err },
			"Set":       func() error { _, err := s.Set(key, 1<<50); return err },
			"Put":       func() error { _, err := s.Put(key, Put{Value: value, KeepTTL: true}); return err },
			"SetTTL":    func() error { _, err := s.SetTTL(key, time.Hour, Condition{Present: true}); return err },
			"Take":      func() error { _, err := s.Take(key); return err },
			"Remove":    func() error { return s.Remove(key, Condition{}) },
			"arguments": func() error { _, err := s.SetArgs(key); return err },
		} {
			if err := do(); !expected(err) {
				return fmt.Sprintf("%s: %v", name, err)
			}
		}
		if i == damagedKeys/2 {
			if _, _, err := s.Scan(nil, nil, nil, 1000); !expected(err) {
				return fmt.Sprintf("Scan: %v", err)
			}
			s.SweepExpired(time.Second)
			s.reclaim(sh)
			if s.lock(sh) == nil {
				if _, err := sh.rebuildLocked(); !expected(err) {
					return fmt.Sprintf("rebuild: %v", err)
				}
				s.unlock(sh)
			}
		}
	}
	if _, err := s.RemovePrefix(nil); !expected(err) {
		return fmt.Sprintf("RemovePrefix: %v", err)
	}
	r.Check()
	r.Stats()
	return ""
}

func expected(err error) bool {
	for _, known := range []error{nil, ErrCorrupt, ErrNotFound, ErrFull, ErrOverflow, ErrNotInteger, ErrCondition} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}
