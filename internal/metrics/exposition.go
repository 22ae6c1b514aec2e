package metrics

import (
	"math"
	"strconv"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
)

// Append writes a snapshot behind dst.
func (s *Snapshot) Append(dst []byte, format Format) []byte {
	p := &page{text: dst, format: format}
	s.requests(p)
	s.connections(p)
	s.workers(p)
	s.store(p)
	if format == OpenMetrics {
		p.say("# EOF\n")
	}
	return p.text
}

func (s *Snapshot) requests(p *page) {
	p.family("fondue_http_requests", "counter", "", "Answered requests by route and class of the status.")
	for kind := range kinds {
		for outcome, n := range s.Sum.Answers[kind] {
			p.count(n, "route", kind.String(), "code", outcomeNames[outcome])
		}
	}
	for outcome, name := range outcomeNames { // of a later version, that was here before
		unknown := uint64(0)
		for kind := int(kinds); kind < shm.MaxKinds; kind++ {
			unknown += s.Sum.Answers[kind][outcome]
		}
		if unknown > 0 {
			p.count(unknown, "route", kinds.String(), "code", name)
		}
	}
	p.family("fondue_http_request_duration_seconds", "histogram", "seconds",
		"From a request that was read whole until its answer was ready to be sent.")
	below := uint64(0)
	for i, n := range s.Sum.Latency {
		below += n
		bound := math.Inf(1)
		if i < len(shm.LatencyBounds) {
			bound = shm.LatencyBounds[i].Seconds()
		}
		p.part("_bucket", float64(below), "le", p.bound(bound))
	}
	p.part("_sum", float64(s.Sum.LatencySum)/1e9)
	p.part("_count", float64(below))
	p.family("fondue_http_received_bytes", "counter", "bytes", "Bytes received from clients.")
	p.count(s.Sum.Received)
	p.family("fondue_http_sent_bytes", "counter", "bytes", "Bytes sent to clients.")
	p.count(s.Sum.Sent)
}

func (s *Snapshot) connections(p *page) {
	p.family("fondue_connections", "gauge", "", "Open connections.")
	p.sample(float64(max(s.Connections, 0))) // an end may be counted before its beginning
	p.family("fondue_connections_accepted", "counter", "", "Connections accepted.")
	p.count(s.Sum.Accepted)
}

// workers has the rows of the slots.
func (s *Snapshot) workers(p *page) {
	p.family("fondue_workers", "gauge", "", "Worker processes by state.")
	for _, state := range []shm.State{shm.StateStarting, shm.StateReady, shm.StateDraining} {
		p.sample(float64(s.InState(state)), "state", state.String())
	}
	p.family("fondue_restarts", "counter", "", "Worker processes beyond the first of each slot: after a death, a reload or a recycling.")
	p.count(s.Restarts)
	p.family("fondue_deaths", "counter", "", "Worker processes that ended and were not told to: crashed, killed, or ended for hanging.")
	p.count(s.Deaths)
	p.family("fondue_worker_slots", "gauge", "", "Slots for workers that the region has.")
	p.sample(float64(s.Info.Slots))
	rows := func(name, kind, unit, help string, living bool, value func(*Slot) float64) {
		p.family("fondue_worker_"+name, kind, unit, help)
		for i := range s.Slots {
			if slot := &s.Slots[i]; slot.State != 0 || !living {
				p.sample(value(slot), "slot", strconv.Itoa(slot.Slot))
			}
		}
	}
	rows("requests", "counter", "", "Answered requests of the slot's processes.", false, func(x *Slot) float64 { return float64(x.Meters.Answers.All()) })
	rows("errors", "counter", "", "Those of them answered with 500 or above.", false, func(x *Slot) float64 { return float64(x.Meters.Answers.Of(shm.Failed)) })
	rows("restarts", "counter", "", "Processes of the slot beyond its first.", false, func(x *Slot) float64 { return float64(x.Restarts) })
	rows("deaths", "counter", "", "Processes of the slot that ended and were not told to.", false, func(x *Slot) float64 { return float64(x.Deaths) })
	rows("cpu_seconds", "counter", "seconds", "CPU used by the slot's processes.", false, func(x *Slot) float64 { return x.CPU.Seconds() })
	rows("connections", "gauge", "", "Open connections of the slot's process.", true, func(x *Slot) float64 { return float64(x.Connections) })
	rows("resident_memory_bytes", "gauge", "bytes", "Resident memory of the slot's process, the touched part of the region included.", true, func(x *Slot) float64 { return float64(x.Memory) })
	rows("heartbeat_age_seconds", "gauge", "seconds", "Time since the slot's process was heard of.", true, func(x *Slot) float64 { return x.HeartbeatAge.Seconds() })
	rows("start_time_seconds", "gauge", "seconds", "When the slot's process was started, in seconds since 1970.", true, func(x *Slot) float64 { return seconds(x.StartedAt) })
}

func (s *Snapshot) store(p *page) {
	gauge := func(name, unit, help string, value float64) {
		p.family("fondue_"+name, "gauge", unit, help)
		p.sample(value)
	}
	counter := func(name, help string, value uint64) {
		p.family("fondue_"+name, "counter", "", help)
		p.count(value)
	}
	gauge("region_size_bytes", "bytes", "Size of the region's file.", float64(s.Store.Size))
	gauge("region_used_bytes", "bytes", "Room for keys and values that is in use.", float64(s.Store.Used))
	gauge("region_free_bytes", "bytes", "Room for keys and values that is not in use.", float64(s.Store.Free))
	gauge("region_fullest_shard_ratio", "ratio", "Part of its room that the fullest shard uses: a key has room in its own shard alone.", s.Store.Fullest)
	gauge("region_created_timestamp_seconds", "seconds", "When the region's file was made, in seconds since 1970.", seconds(s.Info.CreatedAt))
	gauge("keys", "", "Keys in the region.", float64(s.Store.Entries))
	gauge("keys_expiring", "", "Keys that have a time to live.", float64(s.Store.Expiring))
	counter("lookup_hits", "Reads of keys that were there.", s.Sum.Hits)
	counter("lookup_misses", "Reads of keys that were not there.", s.Sum.Misses)
	counter("evicted_keys", "Keys that were let go to make room.", s.Store.Evictions)
	counter("expired_keys", "Expired keys whose room was reclaimed.", s.Store.Expiries)
	counter("full", "Changes refused with 507 for want of room, those in a batch included.", s.Sum.Full)
	counter("writes", "Changes that took a shard's lock; adds to counters that are there take none.", s.Store.Writes)
	counter("lock_waits", "Times somebody slept for a shard's lock.", s.Store.LockWaits)
	gauge("lock_longest_wait_seconds", "seconds", "The longest wait for a shard's lock since the region was made.", s.Store.LongestWait.Seconds())
	gauge("lock_longest_hold_seconds", "seconds", "The longest hold of a shard's lock since the region was made, of those that are timed.", s.Store.LongestHold.Seconds())
	counter("recoveries", "Shards made whole after their lock holder died.", s.Store.Recoveries)
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
