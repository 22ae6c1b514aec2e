package command

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/shm"
)

// TestBriefIsTheSame: brief commands see and change the same keys, and end with the
// others.
func TestBriefIsTheSame(t *testing.T) {
	t.Parallel()
	c := newCommands(t)
	brief, key := c.Brief(), []byte("k")
	for i := range int64(3) {
		for j, each := range []*Commands{c, brief} {
			if n, _, err := each.Increment(key, 1, 0, 0); n != 2*i+int64(j)+1 || err != nil {
				t.Errorf("%d, %d: %d, %v", i, j, n, err)
			}
		}
	}
	if r, err := brief.Report(key); r != (Report{Count: 6, Present: true, PID: 4711}) || err != nil {
		t.Errorf("%+v, %v", r, err)
	}
	if brief.MaxValue() != c.MaxValue() {
		t.Error("another limit")
	}
	if !brief.Ready() {
		t.Error("not ready at the start")
	}
	c.Drain()
	if brief.Ready() {
		t.Error("ready after Drain")
	}
}

// TestBriefCountsNothingUndone: what ends with ErrLong or ErrFull has changed no key
// and counted nothing.
func TestBriefCountsNothingUndone(t *testing.T) {
	t.Parallel()
	c := newFleetOf(t, shm.Geometry{Size: shm.MinSize, Slots: 4}, 1, shm.Policy{Evict: true})[0]
	long := []byte("long")
	if _, err := c.Put(long, shm.BytesValue([]byte(`"`+strings.Repeat("x", 20<<10)+`"`)), 0, Condition{}); err != nil {
		t.Fatal(err)
	}
	brief := c.Brief()
	for i := 0; ; i++ { // until the shard of a next key has no room
		if _, _, err := brief.Increment(fmt.Appendf(nil, "filler-%d", i), 1, math.MaxInt64-9, 0); errors.Is(err, shm.ErrFull) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	counted, region := c.Metrics(), c.Region()
	refused := 0
	for i := range 1000 {
		if _, _, err := brief.Increment(fmt.Appendf(nil, "more-%d", i), 1, 0, 0); errors.Is(err, shm.ErrFull) {
			refused++
			continue
		}
		// There is room in this key's shard: as it was.
		if err := c.Remove(fmt.Appendf(nil, "more-%d", i), Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	if refused == 0 {
		t.Error("there is room for everything")
	}
	if _, err := brief.Get(nil, long, Condition{}); !errors.Is(err, shm.ErrLong) {
		t.Errorf("a long value: %v", err)
	}
	if after := c.Region(); after.Entries != region.Entries || after.Evictions != region.Evictions {
		t.Errorf("%+v, then %+v", region, after)
	}
	if after := c.Metrics(); after.Sum != counted.Sum {
		t.Errorf("%+v, then %+v", counted.Sum, after.Sum)
	}
}
