package shm

import (
	"errors"
	"math"
	"testing"
)

// TestBriefDoesNotWait: while another process, or another goroutine of this one, has
// the lock, a brief store goes on with what needs none and refuses the rest at once,
// with nothing changed.
func TestBriefDoesNotWait(t *testing.T) {
	t.Parallel()
	for _, b := range backings {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			r := b.make(t, Geometry{Size: MinSize, Slots: 4})
			master, s := attached(t, r)
			other := newWorker(t, r, master)
			narrow, wide, missing := []byte("narrow"), []byte("wide"), []byte("missing")
			for key, v := range map[string]int64{"narrow": 7, "wide": math.MaxInt64 - 5} {
				if _, err := s.Set([]byte(key), v); err != nil {
					t.Fatal(err)
				}
			}
			brief := s.Brief()
			for name, holder := range map[string]*Store{"another process": other, "another goroutine": s} {
				for i := range holder.region.shards {
					if err := holder.lock(&holder.region.shards[i]); err != nil {
						t.Fatal(err)
					}
				}
				// What follows reports after the locks are free: a holder must not fail.
				n, _, added := brief.Increment(narrow, 0, 0, 0)
				_, _, created := brief.Increment(missing, 1, 0, 0)
				_, _, grown := brief.Increment(wide, 1, 0, 0)
				_, got := brief.Get(wide)
				_, taken := brief.Take(wide)
				_, put := brief.Put(missing, Put{Value: BytesValue([]byte("{}"))})
				for i := range holder.region.shards {
					holder.unlock(&holder.region.shards[i])
				}
				if added != nil || n != 7 {
					t.Errorf("%s: a counter that needs no lock: %d, %v", name, n, added)
				}
				for what, err := range map[string]error{"create": created, "add": grown, "get": got, "take": taken, "put": put} {
					if !errors.Is(err, ErrBusy) {
						t.Errorf("%s: %s: %v", name, what, err)
					}
				}
				if _, err := s.Get(missing); !errors.Is(err, ErrNotFound) {
					t.Errorf("%s: what was refused is there: %v", name, err)
				}
				if v, err := brief.Get(wide); v != math.MaxInt64-5 || err != nil {
					t.Errorf("%s: afterwards: %d, %v", name, v, err)
				}
			}
			if n, did, err := brief.Increment(missing, 2, 1, 0); n != 3 || !did.Created || err != nil {
				t.Errorf("with nobody else there: %d, %+v, %v", n, did, err)
			}
		})
	}
}

// TestBriefTakesNoLongValue: what would take long to copy is refused, and what is as
// long as may be is not.
func TestBriefTakesNoLongValue(t *testing.T) {
	t.Parallel()
	_, s := attached(t, heapRegion(t, Geometry{Size: 4 << 20, Slots: 2}))
	key := []byte("a")
	for _, n := range []int{briefBytes, briefBytes + 1} {
		if _, err := s.Put(key, Put{Value: BytesValue(blob("a", n))}); err != nil {
			t.Fatal(err)
		}
		item, err := s.Brief().Read(nil, key)
		if n <= briefBytes && (err != nil || len(item.Bytes) != n) || n > briefBytes && !errors.Is(err, ErrLong) {
			t.Errorf("%d bytes: %d, %v", n, len(item.Bytes), err)
		}
		if item, err = s.Read(nil, key); err != nil || len(item.Bytes) != n {
			t.Errorf("%d bytes, not briefly: %d, %v", n, len(item.Bytes), err)
		}
	}
}

// TestBriefEvictsNobody: a brief store makes no room; the store itself does.
func TestBriefEvictsNobody(t *testing.T) {
	t.Parallel()
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 2})
	_, s := attached(t, r)
	fillUp(t, s, "k", 100, 200)
	s.SetPolicy(Policy{Evict: true})
	brief, before := s.Brief(), r.Stats()
	value := Put{Value: BytesValue(blob("x", 1000))}
	if _, err := brief.Put([]byte("x"), value); !errors.Is(err, ErrFull) {
		t.Errorf("briefly: %v", err)
	}
	if after := r.Stats(); after.Entries != before.Entries || after.Evictions != 0 {
		t.Errorf("%+v, then %+v", before, after)
	}
	if did, err := s.Put([]byte("x"), value); err != nil || did.Evicted == 0 {
		t.Errorf("not briefly: %+v, %v", did, err)
	}
}
