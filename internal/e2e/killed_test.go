package e2e_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/e2e"
	"github.com/fondue-server/fondue/internal/shm"
)

const requestsLimit = 20 * time.Second

// TestWorkerKilledUnderLoad: no connect fails, only the connections of the
// killed worker break, its slot serves again at once, and the count is exact.
func TestWorkerKilledUnderLoad(t *testing.T) {
	t.Parallel()
	for _, accept := range []string{"reuseport", "shared"} {
		t.Run(accept, func(t *testing.T) {
			s := e2e.Start(t, e2e.Options{Workers: 3, Flags: []string{"--accept", accept}})
			region, err := shm.OpenReadOnly(s.Region)
			if err != nil {
				t.Fatal(err)
			}
			defer region.Close()
			load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 16, NewConn: 4, Path: "/increment?key=k", Identify: true})
			kills := 100
			if testing.Short() {
				kills = 20
			}
			var open int64
			killed := map[int]bool{}
			gaps := make([]time.Duration, 0, kills)
			for range kills {
				pause(load)
				slot, conns := killOne(s, region)
				open += conns
				killed[slot.PID] = true
				begin := time.Now()
				e2e.Eventually(t, requestsLimit, "the slot serves again", func() bool {
					row, ok := workerRow(region, slot.Slot)
					return ok && row.Generation != slot.Generation && row.State == shm.StateReady
				})
				gaps = append(gaps, time.Since(begin))
			}
			load.Stop()
			slices.Sort(gaps)
			median, p99 := quantile(gaps, 0.5), quantile(gaps, 0.99)
			t.Logf("%d kills under load: slot ready again after %v (median), %v (p99), %v (longest); %d requests acknowledged, %d broken of %d open connections",
				kills, median, p99, gaps[kills-1], load.Acked.Load(), load.Broken.Load(), open)
			if p99 > 2*time.Second {
				t.Errorf("p99 is %v: a slot is to serve again at once", p99)
			}
			if n := load.Refused.Load(); n > 0 {
				t.Errorf("%d connects failed: %v", n, load.FirstError())
			}
			if n := load.Broken.Load(); n > open {
				t.Errorf("%d requests broken, the killed workers had %d connections", n, open)
			}
			identified := 0
			for pid, n := range load.BrokenOf() {
				if pid != 0 {
					identified += n
				}
				if pid != 0 && !killed[pid] {
					t.Errorf("%d connections of worker %d broke, which was not killed", n, pid)
				}
			}
			if identified == 0 {
				t.Error("no broken connection had said its worker's pid")
			}
			wantExact(t, count(t, s, "k"), load)
			s.Stop()
		})
	}
}

// quantile is the smallest value that at least the given part of all does not
// exceed. The values are sorted.
func quantile(sorted []time.Duration, part float64) time.Duration {
	return sorted[max(0, int(math.Ceil(part*float64(len(sorted))))-1)]
}

// pause lets the load go on for a while that it measures itself.
func pause(l *e2e.Load) {
	l.More(100 + rand.Int64N(400))
}

// killOne ends a random worker and tells how many connections it may have had:
// those that were open, and those that came while the signal was on its way.
func killOne(s *e2e.Server, region *shm.Region) (victim shm.SlotInfo, conns int64) {
	rows := slices.DeleteFunc(region.Slots(), func(r shm.SlotInfo) bool { return r.Master || r.State != shm.StateReady })
	victim = rows[rand.IntN(len(rows))]
	s.Kill(victim.PID)
	after, _ := workerRow(region, victim.Slot)
	return victim, max(victim.Connections, after.Connections) + 4
}

func workerRow(region *shm.Region, slot int) (shm.SlotInfo, bool) {
	for _, row := range region.Slots() {
		if row.Slot == slot {
			return row, true
		}
	}
	return shm.SlotInfo{}, false
}

// TestMasterKilled: the workers leave within a second, every acknowledged count
// is there at the next start, on the same address.
func TestMasterKilledUnderLoad(t *testing.T) {
	t.Parallel()
	region := t.TempDir() + "/region"
	addr, total := "127.0.0.1:0", int64(0)
	var broken int64
	for range 5 {
		s := e2e.Start(t, e2e.Options{Workers: 3, Region: region, Listen: []string{addr}})
		addr = s.Addrs[0]
		if total > 0 {
			if got := count(t, s, "k"); got < total || got > total+broken {
				t.Fatalf("%d after the restart; %d acknowledged, %d broken", got, total, broken)
			}
		}
		load := e2e.StartLoad(t, addr, e2e.LoadOptions{KeepAlive: 8, NewConn: 2, Path: "/increment?key=k"})
		e2e.Eventually(t, requestsLimit, "500 requests", func() bool { return load.Acked.Load() > 500 })
		load.Ending()
		s.KillMaster()
		s.WantNoOrphans(time.Second)
		load.Wait()
		if load.Broken.Load() > 0 {
			t.Errorf("%d requests broken: %v", load.Broken.Load(), load.FirstError())
		}
		t.Logf("%d acknowledged before the workers left, %d broken", load.Acked.Load(), load.Broken.Load())
		total += load.Acked.Load()
		broken += load.Broken.Load()
	}
	s := e2e.Start(t, e2e.Options{Workers: 1, Region: region, Listen: []string{addr}})
	if got := count(t, s, "k"); got < total || got > total+broken {
		t.Errorf("%d in the end; %d acknowledged, %d broken", got, total, broken)
	}
	s.Stop()
}

// count reads a counter through a server; a key that is not there is a failure.
func count(t *testing.T, s *e2e.Server, key string) int64 {
	t.Helper()
	var report struct {
		Count *int64 `json:"count"`
	}
	s.Get("/report?key=" + key).WantStatus(200).Decode(&report)
	if report.Count == nil {
		t.Fatalf("key %q is missing", key)
	}
	return *report.Count
}

// wantExact asserts that nothing that was acknowledged is lost, and nothing
// counted that was not asked for: a broken request may have been either.
func wantExact(t *testing.T, got int64, l *e2e.Load) {
	t.Helper()
	acked, broken := l.Acked.Load(), l.Broken.Load()
	if got < acked || got > acked+broken {
		t.Errorf("count is %d; %d were acknowledged and %d broken off", got, acked, broken)
	}
	if n := l.Odd.Load(); n > 0 {
		t.Errorf("%d answers were not 200", n)
	}
}
