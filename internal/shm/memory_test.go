package shm

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// hoard is a region that is filled with values of random sizes, and what it
// has to hold.
type hoard struct {
	t     *testing.T
	r     *Region
	s     *Store
	rng   *rand.Rand
	sizes map[string]int
	next  int
	bytes []byte
}

func newHoard(t *testing.T, size int64) *hoard {
	r := heapRegion(t, Geometry{Size: size, Slots: 64})
	_, s := attached(t, r)
	return &hoard{
		t: t, r: r, s: s, rng: rand.New(rand.NewPCG(1, 2)),
		sizes: map[string]int{}, bytes: make([]byte, 64<<10),
	}
}

// share is how much of the file is bytes of keys and values.
func (h *hoard) share() float64 {
	n := 0
	for key, size := range h.sizes {
		n += len(key) + size
	}
	return float64(n) / float64(h.r.Info().Size)
}

// fill adds keys until so many in a row were refused, and tells how full the
// region was at the first refusal and in the end.
func (h *hoard) fill(size func() int) (first, full float64) {
	const refusals = 2000
	for refused := 0; refused < refusals; {
		key := fmt.Sprintf("key:%08d", h.next)
		h.next++
		n := size()
		_, err := h.s.Put([]byte(key), Put{Value: BytesValue(h.bytes[:n])})
		if errors.Is(err, ErrFull) {
			if refused++; first == 0 {
				first = h.share()
			}
			continue
		}
		if err != nil {
			h.t.Fatal(err)
		}
		refused = 0
		h.sizes[key] = n
	}
	return first, h.share()
}

// drop removes a random half of the keys.
func (h *hoard) drop() {
	for key := range h.sizes {
		if h.rng.IntN(2) == 0 {
			h.remove(key)
		}
	}
}

func (h *hoard) remove(key string) {
	if err := h.s.Remove([]byte(key), Condition{}); err != nil {
		h.t.Fatalf("remove %s: %v", key, err)
	}
	delete(h.sizes, key)
}

func (h *hoard) checked(what string) {
	h.t.Helper()
	if report := h.r.Check(); !report.OK() || report.Entries != uint64(len(h.sizes)) {
		h.t.Fatalf("%s: %d entries of %d, %v", what, report.Entries, len(h.sizes), report.Violations)
	}
}

// around draws sizes from a quarter below to a quarter above n bytes.
func (h *hoard) around(n float64) func() int {
	return func() int { return int(n * (0.75 + h.rng.Float64()/2)) }
}

// small draws from 64 to 512 bytes, uniformly.
func (h *hoard) small() int { return 64 + h.rng.IntN(449) }

// mixed draws from 50 bytes to 50 KiB, each order of magnitude as often.
func (h *hoard) mixed() int { return int(50 * math.Pow(1024, h.rng.Float64())) }

// Three quarters of the file hold keys and values when values of 64 to 512
// bytes fill it.
func TestSmallValuesFillTheRegion(t *testing.T) {
	t.Parallel()
	size := int64(32 << 20)
	if testing.Short() {
		size = 8 << 20
	}
	h := newHoard(t, size)
	first, full := h.fill(h.small)
	t.Logf("%d keys: %.1f %% at the first refusal, %.1f %% in the end", len(h.sizes), first*100, full*100)
	if full < 0.75 {
		t.Errorf("%.1f %% of the file are keys and values when it is full, want 75", full*100)
	}
	// One shard of many is the first that is full.
	if first < 0.73 {
		t.Errorf("%.1f %% of the file are keys and values at the first refusal", first*100)
	}
	h.checked("full")
	if st := h.r.Stats(); float64(st.Free) > 0.01*float64(st.Size) {
		t.Errorf("full with %d bytes free", st.Free)
	}
	h.emptied()
}

// Sizes that move do not use the memory up: whatever the sizes were before, a
// region that refuses has no room, and 70 % of it are keys and values again.
func TestChurnLeavesRoom(t *testing.T) {
	t.Parallel()
	size := int64(32 << 20)
	if testing.Short() {
		size = 4 << 20
	}
	h := newHoard(t, size)
	h.fill(h.small)
	const rounds = 20
	for round := range rounds {
		h.drop()
		// From 50 bytes up to 50 KiB, and down again.
		at := 1 - math.Abs(float64(round)-rounds/2)/(rounds/2)
		mean := 50 * math.Pow(1024, at)
		_, full := h.fill(h.around(mean))
		st := h.r.Stats()
		t.Logf("round %d, about %.0f bytes: %.1f %% keys and values, %.1f %% of the units in use",
			round, mean, full*100, 100*float64(st.Used)/float64(st.Used+st.Free))
		h.checked(fmt.Sprintf("round %d", round))
		if float64(st.Used) < 0.95*float64(st.Used+st.Free) {
			t.Errorf("round %d: refused with %d bytes free", round, st.Free)
		}
	}
	h.drop()
	_, full := h.fill(h.mixed)
	t.Logf("then 50 bytes to 50 KiB: %.1f %%", full*100)
	if full < 0.70 {
		t.Errorf("%.1f %% of the file are keys and values after the churn, want 70", full*100)
	}
	h.drop()
	h.drop()
	_, full = h.fill(h.small)
	t.Logf("then 64 to 512 bytes: %.1f %%", full*100)
	if full < 0.70 {
		t.Errorf("%.1f %% of the file are keys and values of 64 to 512 bytes after the churn, want 70", full*100)
	}
	h.checked("in the end")
	h.emptied()
}

// emptied removes everything: nothing is left in use.
func (h *hoard) emptied() {
	h.t.Helper()
	for key := range h.sizes {
		h.remove(key)
	}
	h.checked("emptied")
	if st := h.r.Stats(); st.Used != 0 || st.Entries != 0 {
		h.t.Errorf("emptied, %d bytes and %d entries are left", st.Used, st.Entries)
	}
}
