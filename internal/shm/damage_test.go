package shm

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// damage changes a word of a populated region to what could be there: a link to
// another entry or to itself, another reference, length, kind or count. Random
// words are FuzzDamage's.
func damage(r *Region, rng *rand.Rand) (what string) {
	sh := &r.shards[0]
	linked := func() uint64 {
		for {
			for link := sh.buckets[rng.IntN(len(sh.buckets))].Load(); link != 0; link = r.mem.entry(link & offsetMask).link.Load() {
				if off := link & offsetMask; sh.isLine(off) && (rng.IntN(2) == 0 || r.mem.entry(off).link.Load() == 0) {
					return off
				} else if !sh.isLine(off) || off == r.mem.entry(off).link.Load()&offsetMask {
					break
				}
			}
		}
	}
	off := linked()
	e, other := r.mem.entry(off), linked()
	extent := func(e *entry) uint64 {
		if w := e.word.Load(); kindOf(w) == kindBytes && bodyOf(w) != 0 && bodyOf(w) <= sh.unitsN {
			return sh.unitOff(bodyOf(w) - 1)
		}
		return off
	}
	at, to := off, uint64(0)
	switch what = fmt.Sprint("damage ", rng.IntN(14)); what {
	case "damage 0":
		at, to = off+linkAt, e.link.Load()&^offsetMask|other
	case "damage 1":
		at, to = off+linkAt, rng.Uint64()&^offsetMask|off
	case "damage 2":
		at, to = off, kindDead
	case "damage 3":
		at, to = off, r.mem.entry(other).word.Load()
	case "damage 4":
		at, to = off, bytesWord(rng.Uint64N(sh.unitsN+2))
	case "damage 5":
		at, to = off+wideAt, rng.Uint64()>>rng.IntN(64)
	case "damage 6":
		at, to = off+metaAt, e.meta.Load()&^uint64(metaLenMask)|rng.Uint64N(metaLenMask+1)
	case "damage 7":
		at, to = off+metaAt, e.meta.Load()&metaKeyMask|rng.Uint64N(sh.unitsN+2)<<metaTail
	case "damage 8":
		at, to = off+expiryAt, rng.Uint64()>>rng.IntN(64)
	case "damage 9":
		at = extent(e)
		to = r.mem.word(at).Load()&^refMask | rng.Uint64N(sh.unitsN+2)
	case "damage 10":
		at = extent(e)
		to = r.mem.word(at).Load() ^ rng.Uint64N(64)<<extentUnitsShift
	case "damage 11":
		at = sh.bucketOff(rng.Uint64N(uint64(len(sh.buckets))))
		to = rng.Uint64()&^offsetMask | other
	case "damage 12":
		at = sh.start + r.sb.bitmapOff + rng.Uint64N(sh.unitsN/64)*8
		to = rng.Uint64() & rng.Uint64()
	case "damage 13":
		at, to = sh.start+versionsAt+rng.Uint64N((headerSize-versionsAt)/8)*8, rng.Uint64()>>rng.IntN(64)
	}
	r.mem.word(at).Store(to)
	return what
}

// fillDamaged makes room to be needed, by eviction or a refusal.
func fillDamaged(s *Store) string {
	for i := range 60 {
		if _, err := s.Put(fmt.Appendf(nil, "more%d", i), Put{Value: BytesValue(make([]byte, 20_000))}); !expected(err) {
			return fmt.Sprintf("Put: %v", err)
		}
	}
	return ""
}

// Whatever is broken, each operation has an answer or an error, in time.
func TestDamageIsAnswered(t *testing.T) {
	t.Parallel()
	rounds := 400
	if testing.Short() {
		rounds = 10
	}
	var next atomic.Uint64
	var longest atomic.Int64
	var damaging sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		damaging.Go(func() {
			for seed := next.Add(1); seed <= uint64(rounds) && !t.Failed(); seed = next.Add(1) {
				rng := rand.New(rand.NewPCG(seed, 9))
				r, s := damagedRegion(t, make([]byte, seed%2)) // whole, yet
				list := ""
				for range 1 + rng.IntN(6) {
					list += damage(r, rng) + ", "
				}
				began := time.Now()
				ended := make(chan string, 1)
				go func() {
					if what := fillDamaged(s); what != "" {
						ended <- what
						return
					}
					ended <- useDamaged(r, s)
				}()
				select {
				case what := <-ended:
					if what != "" {
						t.Errorf("seed %d, %s: %s", seed, list, what)
					}
				case <-time.After(2 * time.Minute):
					panic(fmt.Sprintf("seed %d, %s: an operation on a damaged region does not end", seed, list)) // with all goroutines
				}
				longest.Store(max(longest.Load(), int64(time.Since(began))))
			}
		})
	}
	damaging.Wait()
	t.Logf("%d damaged regions; the longest took %v", rounds, time.Duration(longest.Load()))
}
