package status

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/fondue-server/fondue/internal/metrics"
	"github.com/fondue-server/fondue/internal/shm"
)

// hottest is how many shards are told of.
const hottest = 5

// Make compares a sample with an earlier one of the same region, which may be nil. One
// of another region, and one that cannot be earlier, counts as none; so does any where no
// process lives: what is to be seen then is all that there was.
func Make(before, now *Sample) Document {
	c := comparison{now: now}
	if before != nil && now.lives() && before.Info.Instance == now.Info.Instance && len(before.Shards) == len(now.Shards) && !back(before, now) {
		c.seconds = now.At.Sub(before.At).Seconds()
	}
	if c.seconds > 0 {
		c.before = before
	} else {
		c.seconds, c.before = 0, &Sample{Shards: make([]shm.Counts, len(now.Shards))}
	}
	d := Document{
		Time: now.At.UTC().Round(0), Interval: c.interval(), Running: len(now.Masters) > 0,
		Masters: []Master{}, Region: c.region(), Workers: []Worker{}, Routes: c.routes(), Hottest: c.shards(),
	}
	for _, m := range now.Masters {
		d.Masters = append(d.Masters, Master{PID: m.PID, State: m.State.String(), StartedAt: m.StartedAt.UTC()})
	}
	for i := range now.Slots {
		if now.Slots[i].State != 0 {
			d.Workers = append(d.Workers, c.worker(&now.Slots[i]))
		}
	}
	d.Totals = c.totals(d.Workers)
	return d
}

// back says whether a counter that never falls is below what it was.
func back(before, now *Sample) bool {
	b, n := &before.Sum, &now.Sum
	return n.Answers.All() < b.Answers.All() || n.LatencySum < b.LatencySum || n.Accepted < b.Accepted ||
		n.Received < b.Received || n.Sent < b.Sent || n.Hits < b.Hits || n.Misses < b.Misses || now.Store.Writes < before.Store.Writes
}

// comparison is of two samples. Without an earlier one, before has counted nothing and
// seconds is 0: the difference is what there was since the region was created.
type comparison struct {
	before, now *Sample
	seconds     float64
}

func (c *comparison) interval() *float64 {
	if c.seconds == 0 {
		return nil
	}
	return number(c.seconds)
}

// rate is per second, nil without an interval.
func (c *comparison) rate(before, now uint64) *float64 {
	if c.seconds == 0 {
		return nil
	}
	return number(float64(now-min(now, before)) / c.seconds)
}

// number rounds to what is worth reading, and telling apart.
func number(v float64) *float64 {
	v = math.Round(v*1000) / 1000
	return &v
}

func percent(part, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return *number(100 * float64(part) / float64(whole))
}

func (c *comparison) region() Region {
	store, info := &c.now.Store, &c.now.Info
	d := c.now.Sum.Since(&c.before.Sum)
	r := Region{
		Path: info.Path, CreatedAt: info.CreatedAt.UTC(), Size: store.Size, Used: store.Used, Free: store.Free,
		UsedPercent: percent(store.Used, store.Used+store.Free), Keys: store.Entries, Expiring: store.Expiring,
		Evictions: store.Evictions, Expiries: store.Expiries, LockWaits: store.LockWaits, Recoveries: store.Recoveries,
		Hits: c.now.Sum.Hits, Misses: c.now.Sum.Misses, Shards: info.Shards, WorkerSlots: info.Slots,
		EvictionsPerSecond: c.rate(c.before.Store.Evictions, store.Evictions),
		LockWaitsPerSecond: c.rate(c.before.Store.LockWaits, store.LockWaits),
	}
	if all := d.Hits + d.Misses; all > 0 {
		r.HitRatio = number(float64(d.Hits) / float64(all))
	}
	return r
}

func (c *comparison) totals(workers []Worker) Totals {
	before, now := &c.before.Sum, &c.now.Sum
	t := Totals{
		Answers:  c.answers(&before.Answers, &now.Answers),
		Accepted: now.Accepted, Received: now.Received, Sent: now.Sent, Restarts: c.now.Restarts,
		AcceptedPerSecond: c.rate(before.Accepted, now.Accepted),
		ReceivedPerSecond: c.rate(before.Received, now.Received),
		SentPerSecond:     c.rate(before.Sent, now.Sent),
		Latency:           c.latency(before, now),
		Buckets:           buckets(now),
	}
	for i := range workers {
		w := &workers[i]
		t.Connections += w.Connections
		if w.CPUPercent != nil {
			sum := *w.CPUPercent
			if t.CPUPercent != nil {
				sum += *t.CPUPercent
			}
			t.CPUPercent = number(sum)
		}
	}
	return t
}

func (c *comparison) answers(before, now *shm.Answers) Answers {
	a := Answers{Requests: now.All(), Refused: now.Of(shm.Refused), Failed: now.Of(shm.Failed)}
	a.RequestsPerSecond = c.rate(before.All(), a.Requests)
	a.RefusedPerSecond = c.rate(before.Of(shm.Refused), a.Refused)
	a.FailedPerSecond = c.rate(before.Of(shm.Failed), a.Failed)
	return a
}

func (c *comparison) latency(before, now *shm.Meters) Latency {
	d := now.Since(before)
	return Latency{P50: quantile(d.Latency[:], 0.5), P90: quantile(d.Latency[:], 0.9), P99: quantile(d.Latency[:], 0.99)}
}

func buckets(now *shm.Meters) (list []Bucket) {
	for i, n := range now.Latency {
		b := Bucket{Answers: n}
		if i < len(shm.LatencyBounds) {
			b.Bound = number(float64(shm.LatencyBounds[i]) / float64(time.Microsecond))
		}
		list = append(list, b)
	}
	return list
}

func (c *comparison) worker(now *metrics.Slot) Worker {
	before := &metrics.Slot{}
	for i := range c.before.Slots {
		if c.before.Slots[i].Slot == now.Slot {
			before = &c.before.Slots[i]
		}
	}
	w := Worker{
		Slot: now.Slot, PID: now.PID, Generation: now.Generation, State: now.State.String(), Alive: c.now.Alive[now.Slot],
		StartedAt: now.StartedAt.UTC(), HeartbeatAge: now.HeartbeatAge.Seconds(), Restarts: now.Restarts, CPU: now.CPU.Seconds(),
		Answers: c.answers(&before.Meters.Answers, &now.Meters.Answers), Latency: c.latency(&before.Meters, &now.Meters),
	}
	if !w.Alive {
		w.State = "dead"
		return w
	}
	// More ended than began is what a process that died in between may leave.
	w.Connections, w.Memory = max(now.Connections, 0), now.Memory
	w.CPUPercent = c.cpu(before, now)
	return w
}

// leastCPU is the shortest time that a share of it says something.
const leastCPU = 20 * time.Millisecond

// cpu compares what a slot's processes have said that they used, at the times when they
// said it: with each heartbeat.
func (c *comparison) cpu(before, now *metrics.Slot) *float64 {
	if c.seconds == 0 {
		return nil
	}
	span := c.now.At.Sub(c.before.At)
	if before.ID == now.ID && before.State != 0 {
		span += before.HeartbeatAge - now.HeartbeatAge
	}
	if span < leastCPU || now.CPU < before.CPU {
		return nil
	}
	return number(100 * (now.CPU - before.CPU).Seconds() / span.Seconds())
}

func (c *comparison) routes() []Route {
	list := []Route{}
	for kind := range shm.MaxKinds {
		row := func(of *shm.Answers) (one shm.Answers) {
			one[0] = of[kind]
			return one
		}
		before, now := row(&c.before.Sum.Answers), row(&c.now.Sum.Answers)
		if a := c.answers(&before, &now); a.Requests > 0 {
			list = append(list, Route{Route: metrics.Kind(kind).String(), Answers: a})
		}
	}
	slices.SortStableFunc(list, func(a, b Route) int {
		return cmp.Or(cmp.Compare(value(b.RequestsPerSecond), value(a.RequestsPerSecond)), cmp.Compare(b.Requests, a.Requests))
	})
	return list
}

func value(v *float64) float64 {
	if v == nil {
		return 0
	}
	return *v
}

func (c *comparison) shards() []Shard {
	type heat struct{ shard, events int }
	var hot []heat
	for i := range c.now.Shards {
		before, now := &c.before.Shards[i], &c.now.Shards[i]
		events := now.Writes - min(now.Writes, before.Writes) + now.LockWaits - min(now.LockWaits, before.LockWaits)
		if events > 0 {
			hot = append(hot, heat{i, int(events)})
		}
	}
	slices.SortStableFunc(hot, func(a, b heat) int { return cmp.Compare(b.events, a.events) })
	list := []Shard{}
	for _, h := range hot[:min(len(hot), hottest)] {
		before, now := &c.before.Shards[h.shard], &c.now.Shards[h.shard]
		list = append(list, Shard{
			Shard: h.shard, Keys: now.Entries, UsedPercent: percent(now.Used, now.Used+now.Free), Writes: now.Writes, LockWaits: now.LockWaits,
			WritesPerSecond: c.rate(before.Writes, now.Writes), LockWaitsPerSecond: c.rate(before.LockWaits, now.LockWaits),
		})
	}
	return list
}
