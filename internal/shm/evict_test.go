package shm

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"testing"
	"time"
)

func evicting(t *testing.T, g Geometry) (*Region, *Store) {
	r := heapRegion(t, g)
	_, s := attached(t, r)
	s.SetPolicy(Policy{Evict: true})
	return r, s
}

// A flood of keys that nobody reads takes the room of its like, and leaves what
// is read between.
func TestEvictionKeepsWhatIsUsed(t *testing.T) {
	t.Parallel()
	hot, flood, size := 1000, 60_000, int64(4<<20)
	if testing.Short() {
		hot, flood, size = 200, 8000, MinSize
	}
	r, s := evicting(t, Geometry{Size: size, Slots: 1})
	hotKey := func(i int) []byte { return fmt.Appendf(nil, "hot%04d", i) }
	args := []byte(`{"never":"evicted"}`)
	if _, err := s.SetArgs(args); err != nil {
		t.Fatal(err)
	}
	for i := range hot {
		if _, err := s.Put(hotKey(i), Put{Value: BytesValue(blob("h", 200))}); err != nil {
			t.Fatal(err)
		}
	}
	evicted := 0
	for i := range flood {
		did, err := s.Put(fmt.Appendf(nil, "cold%06d", i), Put{Value: BytesValue(blob("c", 200))})
		if err != nil {
			t.Fatalf("put %d: %v", i, err)
		}
		evicted += did.Evicted
		if _, err := s.Read(nil, hotKey(i%hot)); err != nil && !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
	}
	left := 0
	for i := range hot {
		if _, err := s.Read(nil, hotKey(i)); err == nil {
			left++
		}
	}
	st := r.Stats()
	t.Logf("%d of %d hot keys are left after %d cold ones, %d evictions", left, hot, flood, evicted)
	if left < hot*9/10 {
		t.Errorf("%d of %d keys are left that were read all the time", left, hot)
	}
	if uint64(evicted) != st.Evictions || evicted == 0 {
		t.Errorf("replies tell %d evictions, the region %d", evicted, st.Evictions)
	}
	if st.Entries+st.Evictions != uint64(hot+flood) {
		t.Errorf("%d entries and %d evictions of %d keys", st.Entries, st.Evictions, hot+flood)
	}
	if got, err := s.Args(nil); err != nil || !bytes.Equal(got, args) {
		t.Errorf("arguments %q, %v", got, err)
	}
}

// Nothing that could fit is refused, whatever its size, and counters make room
// as well.
func TestEvictionNeverRefuses(t *testing.T) {
	t.Parallel()
	r, s := evicting(t, Geometry{Size: 4 << 20, Slots: 1})
	counters := 100_000
	if testing.Short() {
		counters = 20_000
	}
	for i := range counters {
		if _, did, err := s.Increment(fmt.Appendf(nil, "n%06d", i), 1, 0, 0); err != nil || !did.Created {
			t.Fatalf("counter %d: %+v, %v", i, did, err)
		}
	}
	most := int(s.maxValue)
	for i, n := range []int{1, 100, 5000, 300_000, most, 60, most, most / 2, 2000, most} {
		key := fmt.Appendf(nil, "big%d", i)
		if _, err := s.Put(key, Put{Value: BytesValue(blob("b", n))}); err != nil {
			t.Errorf("value of %d bytes: %v", n, err)
		}
		if item, err := s.Read(nil, key); err != nil || len(item.Bytes) != n {
			t.Errorf("value of %d bytes: read %d, %v", n, len(item.Bytes), err)
		}
	}
	if st := r.Stats(); st.Evictions == 0 {
		t.Error("nothing was evicted")
	}
}

// Without the policy nothing is ever evicted.
func TestNoEvictionUnlessAskedFor(t *testing.T) {
	t.Parallel()
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 1})
	_, s := attached(t, r)
	held := fillUp(t, s, "k", 500, 500)
	if st := r.Stats(); st.Evictions != 0 || st.Entries != uint64(len(held)) {
		t.Errorf("%+v after %d keys", st, len(held))
	}
}

// A key is not evicted for its own sake: whoever replaces it finds it, or is told
// that there is no room.
func TestEvictionSparesTheKeyItself(t *testing.T) {
	t.Parallel()
	for _, part := range []int{2, 3, 5, 20} {
		_, s := evicting(t, Geometry{Size: MinSize, Slots: 1})
		size := int(s.maxValue) * 2 / part
		rng := rand.New(rand.NewPCG(1, uint64(part)))
		replaced, refused := 0, 0
		for range 50 * part {
			key := fmt.Appendf(nil, "key%d", rng.IntN(part+1))
			it, err := s.Read(nil, key)
			if err != nil {
				if err := putBlob(s, key, size, Condition{}); err != nil {
					t.Fatalf("a new key in a cache: %v", err)
				}
				continue
			}
			switch err := putBlob(s, key, size-rng.IntN(100), Condition{Match: []Version{it.Version}}); {
			case err == nil:
				replaced++
			case !errors.Is(err, ErrFull):
				t.Errorf("the key was read, and replaced by who read it: %v", err)
			default:
				refused++
				if now, err := s.Read(nil, key); err != nil || now.Version != it.Version {
					t.Errorf("refused, and the key is %+v, %v", now.Version, err)
				}
			}
		}
		t.Logf("values of %d bytes: %d replaced, %d refused", size, replaced, refused)
		if replaced == 0 {
			t.Error("nothing was replaced: this run proves nothing")
		}
	}
}

func putBlob(s *Store, key []byte, n int, c Condition) error {
	_, err := s.Put(key, Put{Value: BytesValue(blob("v", n)), If: c})
	return err
}

// What cannot have room, whatever goes, is refused before anything does.
func TestEvictionForNothing(t *testing.T) {
	t.Parallel()
	r, s := evicting(t, Geometry{Size: MinSize, Slots: 1})
	if did, err := s.SetArgs(blob("a", int(s.maxValue))); err != nil || did.Evicted != 0 {
		t.Fatal(did, err)
	}
	large := []byte("large")
	if err := putBlob(s, large, int(s.maxValue)-20_000, Condition{}); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if err := putBlob(s, fmt.Appendf(nil, "small%d", i), 1000, Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	before := r.Stats()
	did, err := s.Put(large, Put{Value: BytesValue(blob("l", int(s.maxValue)))})
	if !errors.Is(err, ErrFull) || did.Evicted != 0 || r.Stats() != before {
		t.Errorf("%+v, %v; %d keys are left of %d", did, err, r.Stats().Entries, before.Entries)
	}
	if did, err := s.SetArgs(blob("b", int(s.maxValue))); err != nil || did.Evicted == 0 {
		t.Errorf("arguments of the largest size again: %+v, %v", did, err)
	}
}

// Fits knows what goes into a region that has nothing else.
func TestFits(t *testing.T) {
	t.Parallel()
	_, s := attached(t, heapRegion(t, Geometry{Size: 4 << 20, Slots: 1}))
	values := func(n int) iter.Seq2[[]byte, Value] {
		return func(yield func([]byte, Value) bool) {
			for i := range n {
				if !yield(fmt.Appendf(nil, "key%d", i), BytesValue(blob("f", 10_000))) {
					return
				}
			}
		}
	}
	fit := 0
	for ; s.Fits(nil, values(fit+1)) == nil; fit++ {
	}
	if err := s.Fits(nil, values(fit+1)); !errors.Is(err, ErrFull) {
		t.Errorf("%d keys fit: %v", fit+1, err)
	}
	if err := s.Fits(make([]byte, 30_000), values(fit-1)); !errors.Is(err, ErrFull) {
		t.Errorf("%d keys beside arguments: %v", fit-1, err)
	}
	for key, v := range values(fit) {
		if _, err := s.Put(key, Put{Value: v}); err != nil {
			t.Fatalf("%s of %d that fit: %v", key, fit, err)
		}
	}
	more := 0
	for ; ; more++ {
		if _, err := s.Put(fmt.Appendf(nil, "more%d", more), Put{Value: BytesValue(blob("f", 10_000))}); err != nil {
			break
		}
	}
	if more > fit/50 {
		t.Errorf("%d keys are said to fit, %d more do", fit, more)
	}
}

// Who cannot look for room because somebody has the lock is told so.
func TestEvictionBehindALock(t *testing.T) {
	look, patience := lockLook, lockPatience
	lockLook, lockPatience = time.Millisecond, time.Millisecond
	defer func() { lockLook, lockPatience = look, patience }()
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 2})
	master, s := attached(t, r)
	s.SetPolicy(Policy{Evict: true})
	sh := holdLock(newWorker(t, r, master), "counter")
	var k target
	k.aim([]byte("new"), s.seed)
	if worth := s.makeRoom(sh, 4, &room{k: &k}); !worth {
		t.Error("no other try, which would return ErrLocked")
	}
	if _, err := s.Put([]byte("new"), Put{Value: BytesValue(nil)}); !errors.Is(err, ErrLocked) {
		t.Error(err)
	}
	surrender(&sh.header.lock)
}
