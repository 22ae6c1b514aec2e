//go:build crashpoints

package shm

import (
	"errors"
	"testing"
	"time"
)

// A checker who copies the shard at any store of a change, and finds nothing
// changed before and after, has copied what is whole: also of a change that is
// refused in the end, because somebody adds to the counter meanwhile.
func TestCrashPointsOfChecksBesideRefusals(t *testing.T) {
	look, patience := lockLook, lockPatience
	lockLook, lockPatience = 0, time.Microsecond // who waits for a lock gives up
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 1})
	master, s := attached(t, r)
	key := []byte("counter")
	t.Cleanup(func() { lockLook, lockPatience, crashHook = look, patience, nil })
	for at := 1; ; at++ {
		crashHook = nil
		if _, err := s.Set(key, 1); err != nil {
			t.Fatal(err)
		}
		it, err := s.Read(nil, key)
		if err != nil {
			t.Fatal(err)
		}
		c := shardCheck{sb: &r.sb, versions: map[uint64]bool{}, snapshot: snapshot{shard: &r.shards[0]}}
		before, store := c.state(), 0
		crashHook = func() {
			if store++; store == at {
				crashHook = nil
				if _, err := master.Add(key, 1, 0); err != nil && !errors.Is(err, ErrLocked) {
					t.Error(err)
				}
				c.copy()
			}
		}
		_, err = s.SetTTL(key, time.Hour, Condition{Match: []Version{it.Version}})
		crashHook = nil
		if err != nil && !errors.Is(err, ErrCondition) {
			t.Fatal(err)
		}
		if store < at {
			return
		}
		var report Report
		if c.state() == before {
			c.run(&report)
		}
		if len(report.Violations) > 0 {
			t.Errorf("store %d: %v", at, report.Violations)
		}
	}
}
