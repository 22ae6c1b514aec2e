package status

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/metrics"
	"github.com/fondue-server/fondue/internal/shm"
)

var noon = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

// earlier and later are two samples of one region, 2 s apart: slot 0 has served all the
// while, 1 has got its third process, 2 has died, 3 is on its way.
func earlier() *Sample {
	s := &Sample{
		Snapshot: metrics.Snapshot{
			At: noon, Info: shm.Info{Path: "/dev/shm/fondue.region", Instance: 7, Shards: 8, Slots: 64, CreatedAt: noon.Add(-time.Hour)},
			Store: shm.Counts{Size: 32 << 20, Used: 8 << 20, Free: 23 << 20, Entries: 12000, Expiring: 400, Writes: 5000, Evictions: 10, Expiries: 3, LockWaits: 20, Recoveries: 1},
		},
		Masters: []shm.SlotInfo{{ID: shm.ID{Slot: 64}, PID: 4700, Master: true, State: shm.StateReady, StartedAt: noon.Add(-30 * time.Minute)}},
		Alive:   map[int]bool{0: true, 1: true, 2: true},
		Shards:  make([]shm.Counts, 8),
	}
	for i := range 3 {
		slot := metrics.Slot{SlotInfo: shm.SlotInfo{
			ID: shm.ID{Slot: i}, PID: 4711 + i, State: shm.StateReady, Live: true, Connections: int64(10 * i), Processes: 1, Memory: 14 << 20,
			HeartbeatAge: 40 * time.Millisecond, StartedAt: noon.Add(-20 * time.Minute), CPU: time.Duration(i+1) * time.Second,
		}}
		m := &slot.Meters
		m.Answers[metrics.Increment] = [4]uint64{shm.Done: 1000}
		m.Latency[3], m.Received, m.Sent, m.Accepted, m.Hits, m.Misses = 1000, 100000, 200000, 10, 500, 500
		s.Sum.Add(m)
		s.Slots = append(s.Slots, slot)
	}
	for i := range s.Shards {
		s.Shards[i] = shm.Counts{Used: int64(i) << 18, Free: int64(16-i) << 18, Entries: 1500, Writes: 600}
	}
	return s
}

func later() *Sample {
	s := earlier()
	s.At = s.At.Add(2 * time.Second)
	s.Store.Evictions, s.Store.Entries, s.Store.LockWaits = 30, 12345, 24
	s.Sum = shm.Meters{}
	s.Alive[2], s.Alive[3] = false, true
	s.Slots = append(s.Slots, metrics.Slot{SlotInfo: shm.SlotInfo{ID: shm.ID{Slot: 3}, PID: 4720, State: shm.StateStarting, Processes: 1, StartedAt: s.At}})
	for i := range 2 {
		m := &s.Slots[i].Meters
		m.Answers[metrics.Increment][shm.Done] += 20000
		m.Answers[metrics.Key] = [4]uint64{shm.Done: 3000, shm.Refused: 500, shm.Failed: uint64(2 * i)}
		m.Latency[4] += 12000
		m.Latency[5] += 11500
		m.Received += 3 << 20
		m.Sent += 5 << 20
		m.Hits += 2000
		m.Misses += 500
		m.Accepted += 4
		s.Slots[i].CPU += 1500 * time.Millisecond
	}
	s.Slots[0].HeartbeatAge = 90 * time.Millisecond
	one := &s.Slots[1]
	one.Generation, one.PID, one.Processes, one.Restarts, one.StartedAt, one.Connections = 2, 4719, 3, 2, s.At.Add(-time.Second), -1
	s.Restarts = 2
	for i := range s.Slots {
		s.Sum.Add(&s.Slots[i].Meters)
	}
	for i, n := range []uint64{0, 4, 0, 800, 0, 20, 0, 1} {
		s.Shards[i].Writes += n
		s.Store.Writes += n
	}
	s.Shards[7].LockWaits = 4
	return s
}

func near(t *testing.T, what string, got *float64, want float64) {
	t.Helper()
	if got == nil || math.Abs(*got-want) > 0.01*math.Abs(want) {
		t.Errorf("%s is %v, want %v", what, value(got), want)
	}
}

func TestMake(t *testing.T) {
	t.Parallel()
	d := Make(earlier(), later())
	near(t, "the interval", d.Interval, 2)
	near(t, "requests/s", d.Totals.RequestsPerSecond, 23501)
	near(t, "refused/s", d.Totals.RefusedPerSecond, 500)
	near(t, "failed/s", d.Totals.FailedPerSecond, 1)
	near(t, "received/s", d.Totals.ReceivedPerSecond, 3<<20)
	near(t, "accepted/s", d.Totals.AcceptedPerSecond, 4)
	near(t, "evictions/s", d.Region.EvictionsPerSecond, 10)
	near(t, "lock waits/s", d.Region.LockWaitsPerSecond, 2)
	near(t, "hit ratio of the interval", d.Region.HitRatio, 0.8)
	near(t, "p50", d.Totals.P50, 20+30*23500.0/24000)
	near(t, "p99", d.Totals.P99, 50+50*(47000*0.99-24000)/23000)
	if tot := d.Totals; tot.Requests != 50002 || tot.Refused != 1000 || tot.Failed != 2 || tot.Connections != 0 || tot.Restarts != 2 {
		t.Errorf("%+v", tot)
	}
	if len(d.Workers) != 4 {
		t.Fatalf("%+v", d.Workers)
	}
	near(t, "CPU by the times at which it was told", d.Workers[0].CPUPercent, 150/1.95)
	near(t, "CPU over another process", d.Workers[1].CPUPercent, 75)
	if w := d.Workers[2]; w.State != "dead" || w.Alive || w.Connections != 0 || w.Memory != 0 || w.CPUPercent != nil || w.Requests != 1000 || w.P50 != nil || value(w.RequestsPerSecond) != 0 {
		t.Errorf("%+v", w)
	}
	if w := d.Workers[3]; w.State != "starting" || !w.Alive {
		t.Errorf("%+v", w)
	}
	if len(d.Routes) != 2 || d.Routes[0].Route != "/increment" || d.Routes[1].Failed != 2 {
		t.Errorf("%+v", d.Routes)
	}
	near(t, "increments/s", d.Routes[0].RequestsPerSecond, 20000)
	var hot []int
	for _, s := range d.Hottest {
		hot = append(hot, s.Shard)
	}
	if len(hot) != 4 || hot[0] != 3 || hot[1] != 5 || hot[2] != 7 || hot[3] != 1 {
		t.Errorf("the hottest are %v", hot)
	}
	near(t, "writes/s", d.Hottest[0].WritesPerSecond, 400)
	near(t, "waits/s", d.Hottest[2].LockWaitsPerSecond, 2)
}

// TestMakeStartsAnew: without an earlier sample of this region there are no rates, and
// the rest is of all its time.
func TestMakeStartsAnew(t *testing.T) {
	t.Parallel()
	change := func(f func(*Sample)) *Sample {
		s := earlier()
		f(s)
		return s
	}
	for name, before := range map[string]*Sample{
		"none":                nil,
		"another region":      change(func(s *Sample) { s.Info.Instance++ }),
		"the same moment":     change(func(s *Sample) { s.At = s.At.Add(2 * time.Second) }),
		"a later one":         change(func(s *Sample) { s.At = s.At.Add(time.Minute) }),
		"more requests":       change(func(s *Sample) { s.Sum.Answers[0][0] += 1 << 40 }),
		"more bytes":          change(func(s *Sample) { s.Sum.Sent += 1 << 40 }),
		"more writes":         change(func(s *Sample) { s.Store.Writes += 1 << 40 }),
		"another shard count": change(func(s *Sample) { s.Shards = s.Shards[1:] }),
	} {
		d := Make(before, later())
		if d.Interval != nil || d.Totals.RequestsPerSecond != nil || d.Workers[0].CPUPercent != nil || d.Region.EvictionsPerSecond != nil ||
			d.Routes[0].RequestsPerSecond != nil || d.Hottest[0].WritesPerSecond != nil {
			t.Errorf("%s: there are rates", name)
		}
		if d.Totals.P50 == nil || d.Totals.Requests != 50002 || len(d.Hottest) != 5 {
			t.Errorf("%s: %+v", name, d.Totals)
		}
		near(t, name+": hit ratio", d.Region.HitRatio, 5500.0/8000)
	}
	dead := later()
	dead.Masters, dead.Alive = nil, map[int]bool{}
	if d := Make(earlier(), dead); d.Running || d.Interval != nil || d.Totals.P50 == nil || len(d.Workers) != 4 || d.Masters == nil {
		t.Errorf("nobody lives: %+v", d)
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	buckets := func(at map[int]uint64) []uint64 {
		b := make([]uint64, len(shm.LatencyBounds)+1)
		for i, n := range at {
			b[i] = n
		}
		return b
	}
	for _, c := range []struct {
		at   map[int]uint64
		q    float64
		want float64
	}{
		{map[int]uint64{0: 1}, 0.5, 1},
		{map[int]uint64{0: 1}, 1, 2},
		{map[int]uint64{4: 100}, 0.5, 35},
		{map[int]uint64{4: 100}, 0.99, 49.7},
		{map[int]uint64{1: 50, 8: 50}, 0.5, 5},
		{map[int]uint64{1: 50, 8: 50}, 0.9, 900},
		{map[int]uint64{22: 1}, 1, 50e6},
		{map[int]uint64{23: 7}, 0.5, 50e6},
		{map[int]uint64{0: 1, 23: 99}, 0.99, 50e6},
	} {
		near(t, "the quantile", quantile(buckets(c.at), c.q), c.want)
	}
	if v := quantile(buckets(nil), 0.5); v != nil {
		t.Errorf("of nothing: %v", *v)
	}
}

// TestDocumentIsDocumented: each member's name is in the document that tells of it.
func TestDocumentIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(Make(earlier(), later()))
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	docs := read(t, filepath.Join("..", "..", "docs", "http.md"))
	var names func(v any)
	names = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, member := range v {
				if !strings.Contains(docs, "`"+name+"`") {
					t.Errorf("docs/http.md does not tell of %s", name)
				}
				names(member)
			}
		case []any:
			for _, element := range v {
				names(element)
			}
		}
	}
	names(document)
}

// TestBuckets: who has two documents without rates has the latencies and the CPU of the
// time between.
func TestBuckets(t *testing.T) {
	t.Parallel()
	before, now := Make(nil, earlier()), Make(nil, later())
	both := Make(earlier(), later())
	var between []uint64
	for i, b := range now.Totals.Buckets {
		between = append(between, b.Answers-before.Totals.Buckets[i].Answers)
		if last := i == len(now.Totals.Buckets)-1; last != (b.Bound == nil) || !last && *b.Bound != float64(shm.LatencyBounds[i].Microseconds()) {
			t.Errorf("bucket %d ends at %v", i, b.Bound)
		}
	}
	if got, want := quantile(between, 0.99), both.Totals.P99; *got != *want {
		t.Errorf("p99 is %v of the buckets, %v of both", *got, *want)
	}
	if spent := now.Workers[0].CPU - before.Workers[0].CPU; spent != 1.5 {
		t.Errorf("%v s of CPU", spent)
	}
}
