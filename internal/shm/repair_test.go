package shm

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A record that cannot be repaired is reported by every recovery, not only the
// first, and the lock keeps the name of the one who died with it.
func TestFailedRepairIsFoundAgain(t *testing.T) {
	r, err := Create(filepath.Join(t.TempDir(), "region"), Geometry{Size: MinSize, Slots: 2})
	if err != nil {
		t.Fatal(err)
	}
	_, worker := attached(t, r)
	sh := &r.shards[0]
	acquire(&sh.header.lock, worker.owner)
	unpin()
	sh.header.pairs[0].offset.Store(8) // outside the shard
	sh.header.state.Store(1<<32 | uint64(sh.pairsCRC(1)))
	path := r.path
	worker.region.Close()
	r.Close()
	for start := range 3 {
		r, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.AttachMaster(false); !errors.Is(err, ErrCorrupt) {
			t.Errorf("start %d: %v", start, err)
		}
		if held := r.shards[0].header.lock.Load(); held&^waiters != worker.owner {
			t.Errorf("start %d: the lock is %#x, the dead worker's is %#x", start, held, worker.owner)
		}
		r.Close()
	}
}

// Lists that lead beyond the slabs that were taken are refused, before anything
// outside the shard is read or written.
func TestListsThatLeadOutside(t *testing.T) {
	for name, wound := range map[string]func(*shard){
		"pool, next shard":   func(sh *shard) { sh.header.pool.Store(uint64(len(sh.slabs)) + 1) },
		"pool, far away":     func(sh *shard) { sh.header.pool.Store((sh.size - 32<<10) / 16) },
		"pool, wraps":        func(sh *shard) { sh.header.pool.Store(1<<60 + 1) },
		"partial":            func(sh *shard) { sh.header.partial[1].Store(uint64(len(sh.slabs)) + 1) },
		"partial, never":     func(sh *shard) { sh.header.partial[1].Store(sh.header.fresh.Load() + 1) },
		"free item":          func(sh *shard) { sh.slabs[0].use.Store(sh.slabs[0].use.Load() | 60<<24) },
		"more than there is": func(sh *shard) { sh.header.fresh.Store(1 << 40); sh.header.pool.Store(1 << 39) },
	} {
		t.Run(name, func(t *testing.T) {
			r, err := NewHeap(Geometry{Size: 16 << 20, Slots: 2})
			if err != nil {
				t.Fatal(err)
			}
			_, s := attached(t, r)
			sh := &r.shards[0]
			key := func(i int) []byte { return []byte{byte(i), byte(i >> 8)} }
			inShard := func(i int) bool {
				var k target
				k.aim(key(i), s.seed)
				return s.shardOf(&k) == sh
			}
			first := 0
			for ; !inShard(first); first++ {
			}
			if _, err := s.Set(key(first), 1); err != nil {
				t.Fatal(err)
			}
			if name[:4] == "pool" || name[:4] == "more" {
				sh.header.partial[1].Store(0)
			}
			wound(sh)
			before := append([]byte(nil), r.bytes[:sh.start]...)
			after := append([]byte(nil), r.bytes[sh.start+sh.size:]...)
			for i := first + 1; i < 1<<16; i++ {
				if !inShard(i) {
					continue
				}
				if _, err := s.Set(key(i), 1); !errors.Is(err, ErrCorrupt) {
					t.Fatalf("Set: %v", err)
				}
				break
			}
			if string(before) != string(r.bytes[:sh.start]) || string(after) != string(r.bytes[sh.start+sh.size:]) {
				t.Error("bytes outside the shard were changed")
			}
		})
	}
}

// Whoever gets to a name first in everybody's directory does not get our counts.
func TestOpenRefusesWhatOthersMayWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "region")
	r, err := Create(path, Geometry{Size: MinSize, Slots: 1})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); !errors.Is(err, ErrNotPrivate) {
		t.Errorf("mode 0666: %v", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(path, 12345, -1); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); !errors.Is(err, ErrNotPrivate) {
			t.Errorf("another user's: %v", err)
		}
	}
}
