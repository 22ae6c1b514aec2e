package shm

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

// What no death leaves is refused by a recovery, which comes to an end: the
// shard stays locked in the name of the dead, for nobody to build upon.
func TestRebuildRefusesDamage(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(r *Region, sh *shard, a, b place, of, ofB found){
		"a dead entry that links to itself": func(r *Region, sh *shard, at, _ place, of, _ found) {
			of.e.word.Store(kindDead)
			of.e.link.Store(r.mem.word(uint64(at)).Load())
		},
		"two dead entries in a circle": func(r *Region, sh *shard, a, b place, of, ofB found) {
			of.e.word.Store(kindDead)
			ofB.e.word.Store(kindDead)
			linkA, linkB := r.mem.word(uint64(a)).Load(), r.mem.word(uint64(b)).Load()
			of.e.link.Store(linkB)
			ofB.e.link.Store(linkA)
		},
		"an entry that links to itself": func(r *Region, sh *shard, at, _ place, of, _ found) {
			of.e.link.Store(r.mem.word(uint64(at)).Load())
		},
		"an entry in two buckets": func(r *Region, sh *shard, a, b place, of, ofB found) {
			ofB.e.link.Store(r.mem.word(uint64(a)).Load())
		},
		"a link that leads outside": func(r *Region, sh *shard, _, _ place, of, _ found) {
			of.e.link.Store(sh.start + sh.unitsN*unitSize + 1<<30)
		},
		"a link to where no entry can be": func(r *Region, sh *shard, _, _ place, of, _ found) {
			of.e.link.Store(of.off + unitSize)
		},
		"an extent that is its own next": func(r *Region, sh *shard, _, _ place, of, _ found) {
			body := bodyOf(of.word)
			header := r.mem.word(sh.unitOff(body - 1))
			header.Store(header.Load()&^refMask | body)
		},
		"an extent of two values": func(r *Region, sh *shard, _, _ place, of, ofB found) {
			ofB.e.word.Store(of.word)
		},
		"an extent of no units": func(r *Region, sh *shard, _, _ place, of, _ found) {
			header := r.mem.word(sh.unitOff(bodyOf(of.word) - 1))
			header.Store(header.Load() & refMask)
		},
		"a value that begins outside": func(r *Region, sh *shard, _, _ place, of, _ found) {
			of.e.word.Store(bytesWord(sh.unitsN + 1))
		},
		"a key that ends nowhere": func(r *Region, sh *shard, _, _ place, of, _ found) {
			of.e.meta.Add(1 << 40)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := NewHeap(Geometry{Size: MinSize, Slots: 2})
			if err != nil {
				t.Fatal(err)
			}
			master, s := attached(t, r)
			a, b := bytes.Repeat([]byte("a"), 40), bytes.Repeat([]byte("b"), 40)
			for _, key := range [][]byte{a, b} {
				if _, err := s.Put(key, Put{Value: BytesValue(make([]byte, 4000))}); err != nil {
					t.Fatal(err)
				}
			}
			atA, ofA := locate(t, s, a)
			atB, ofB := locate(t, s, b)
			sh := holdLock(s, "a")
			damage(r, sh, atA, atB, ofA, ofB)
			recovered := make(chan error, 1)
			go func() {
				_, err := master.Recover(s.ID())
				recovered <- err
			}()
			select {
			case err := <-recovered:
				if !errors.Is(err, ErrCorrupt) {
					t.Errorf("recovered: %v", err)
				}
			case <-time.After(patience):
				t.Fatal("the recovery does not end")
			}
			if held := sh.header.lock.Load(); held&^waiters != s.owner {
				t.Errorf("the lock is %#x, not the dead process's", held)
			}
		})
	}
}
