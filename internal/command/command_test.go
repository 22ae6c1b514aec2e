package command

import (
	"errors"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/fondue-server/fondue/internal/shm"
)

// newCommands returns commands over an empty region on the heap, which is
// checked when the test ends.
func newCommands(t testing.TB) *Commands {
	t.Helper()
	return newFleet(t, 1, shm.Policy{})[0]
}

// newFleet returns the commands of n processes over one region, as they are
// with a policy. The first has pid 4711.
func newFleet(t testing.TB, n int, policy shm.Policy) []*Commands {
	t.Helper()
	return newFleetOf(t, shm.Geometry{Size: 8 << 20, Slots: 4}, n, policy)
}

func newFleetOf(t testing.TB, geometry shm.Geometry, n int, policy shm.Policy) []*Commands {
	t.Helper()
	region, err := shm.NewHeap(geometry)
	if err != nil {
		t.Fatal(err)
	}
	master, _, err := region.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if report := region.Check(); !report.OK() {
			t.Errorf("region after the test: %v", report.Violations)
		}
	})
	var fleet []*Commands
	for i := range n {
		id, err := master.Claim(-1)
		if err != nil {
			t.Fatal(err)
		}
		master.Spawned(id, 4711+i)
		store, err := region.Attach(id)
		if err != nil {
			t.Fatal(err)
		}
		store.SetState(shm.StateReady)
		fleet = append(fleet, New(region, store, policy, 4711+i))
	}
	return fleet
}

func TestMissingCounters(t *testing.T) {
	t.Parallel()
	c := newCommands(t)
	for key, present := range map[string]bool{DefaultKey: true, "other": false} {
		want := Report{Present: present, PID: 4711}
		if r, err := c.Report([]byte(key)); r != want || err != nil {
			t.Errorf("Report(%s): %+v, %v", key, r, err)
		}
		if n, err := c.Count([]byte(key)); n != 0 || err != nil {
			t.Errorf("Count(%s): %d, %v", key, n, err)
		}
		if n, err := c.Reset([]byte(key)); n != 0 || err != nil {
			t.Errorf("Reset(%s): %d, %v", key, n, err)
		}
		// None of them created it.
		if _, err := c.Get(nil, []byte(key), Condition{}); !errors.Is(err, shm.ErrNotFound) {
			t.Errorf("Get(%s): %v", key, err)
		}
	}
}

func TestIncrement(t *testing.T) {
	t.Parallel()
	c, key := newCommands(t), []byte("k")
	for _, s := range []struct {
		by, init, want int64
		err            error
	}{
		{by: 5, init: 100, want: 105},
		{by: -7, init: 100, want: 98},
		{by: math.MaxInt64, err: shm.ErrOverflow},
		{by: math.MinInt64, want: 98 + math.MinInt64},
		{by: -99, err: shm.ErrOverflow},
		{by: 0, want: 98 + math.MinInt64},
	} {
		n, _, err := c.Increment(key, s.by, s.init, 0)
		if !errors.Is(err, s.err) || err == nil && n != s.want {
			t.Errorf("by %d: %d, %v, want %d, %v", s.by, n, err, s.want, s.err)
		}
	}
	if n, _, err := c.Increment([]byte("zero"), -3, 0, 0); n != -3 || err != nil {
		t.Errorf("a missing counter starts at 0: %d, %v", n, err)
	}
	for _, bad := range []string{"", strings.Repeat("k", shm.MaxKey+1)} {
		if _, _, err := c.Increment([]byte(bad), 1, 0, 0); !errors.Is(err, shm.ErrKeyLength) {
			t.Errorf("key of %d bytes: %v", len(bad), err)
		}
	}
}

// TestResetIsExact: what all resets took and what is left is what was added.
func TestResetIsExact(t *testing.T) {
	t.Parallel()
	c, key := newCommands(t), []byte("k")
	const adders, each = 4, 2000
	var adding, taking sync.WaitGroup
	done := make(chan struct{})
	for range adders {
		adding.Add(1)
		go func() {
			defer adding.Done()
			for range each {
				if _, _, err := c.Increment(key, 1, 0, 0); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	sums := make([]int64, 2)
	for i := range sums {
		taking.Add(1)
		go func() {
			defer taking.Done()
			for {
				previous, err := c.Reset(key)
				if err != nil {
					t.Error(err)
				}
				sums[i] += previous
				select {
				case <-done:
					return
				default:
				}
			}
		}()
	}
	adding.Wait()
	close(done)
	taking.Wait()
	left, err := c.Count(key)
	if err != nil || sums[0]+sums[1]+left != adders*each {
		t.Errorf("taken %v, left %d, %v; added %d", sums, left, err, adders*each)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	c := newCommands(t)
	if !c.Ready() {
		t.Error("not ready at the start")
	}
	c.Drain()
	if c.Ready() {
		t.Error("ready after Drain")
	}
	if w := c.Workers(); len(w) != 1 || w[0].PID != 4711 || w[0].Master {
		t.Errorf("workers %+v", w)
	}
}
