// Package status is how a server does, for people and programs that watch it: one
// document, made of one look at the region or of two, and a table of it. It needs
// nobody to answer: the figures are in the region, and the kernel knows who lives.
package status

import "time"

// Document is what `fondue status --json` prints and /v1/status answers. Units are in
// the names; members are added, and none is taken away or given another meaning.
//
// What is null is not known: rates without an earlier look, a latency where nothing was
// answered, a ratio of nothing. Latencies are of the interval, or since the region was
// created where there is none.
type Document struct {
	Time time.Time `json:"time"`
	// Interval is what rates and latencies are of; null: there was no earlier look at
	// this region, or nobody lives.
	Interval *float64 `json:"interval_seconds"`
	// Running: a master lives. Otherwise all else is what the last one left.
	Running bool     `json:"server_running"`
	Masters []Master `json:"masters"` // and dump or load, while they use the region
	Region  Region   `json:"region"`
	Totals  Totals   `json:"totals"`
	Workers []Worker `json:"workers"` // in the order of their slots; those that left in order are not there
	Routes  []Route  `json:"routes"`  // that had a request; the busiest first
	// Hottest are the five shards with the most writes and lock waits in the interval.
	// Adds to a counter that is there take no lock, and are no writes.
	Hottest []Shard `json:"hottest_shards"`
}

// Master is a process that holds a master's slot.
type Master struct {
	PID       int       `json:"pid"`
	State     string    `json:"state"`
	StartedAt time.Time `json:"started_at"`
}

// Region is the store. Counters are of the time since it was created.
type Region struct {
	Path        string    `json:"path,omitempty"` // not at /v1/status: a worker knows the file, not its name
	CreatedAt   time.Time `json:"created_at"`
	Size        int64     `json:"size_bytes"`
	Used        int64     `json:"used_bytes"` // of the room for keys and values
	Free        int64     `json:"free_bytes"`
	UsedPercent float64   `json:"used_percent"`
	Keys        uint64    `json:"keys"`
	Expiring    uint64    `json:"expiring_keys"` // those with a time to live
	Evictions   uint64    `json:"evictions"`
	Expiries    uint64    `json:"expiries"` // expired keys that were reclaimed
	LockWaits   uint64    `json:"lock_waits"`
	Recoveries  uint64    `json:"recoveries"`
	Hits        uint64    `json:"lookup_hits"` // reads of keys that were there
	Misses      uint64    `json:"lookup_misses"`
	HitRatio    *float64  `json:"lookup_hit_ratio"` // 0 to 1, of the interval or since creation
	Shards      int       `json:"shards"`
	WorkerSlots int       `json:"worker_slots"`

	EvictionsPerSecond *float64 `json:"evictions_per_second"`
	LockWaitsPerSecond *float64 `json:"lock_waits_per_second"`
}

// Latency is in microseconds, from a request that was read until its answer was ready.
// Answers are counted in buckets (shm.LatencyBounds); within one they are taken to lie
// evenly, and those beyond the last bound to lie on it.
type Latency struct {
	P50 *float64 `json:"latency_p50_us"`
	P90 *float64 `json:"latency_p90_us"`
	P99 *float64 `json:"latency_p99_us"`
}

// Totals are of all workers that there have been since the region was created.
type Totals struct {
	Answers
	Connections int64    `json:"connections"` // open now
	Accepted    uint64   `json:"accepted_connections"`
	Received    uint64   `json:"received_bytes"`
	Sent        uint64   `json:"sent_bytes"`
	Restarts    uint64   `json:"restarts"`
	CPUPercent  *float64 `json:"cpu_percent"` // of one CPU

	AcceptedPerSecond *float64 `json:"accepted_connections_per_second"`
	ReceivedPerSecond *float64 `json:"received_bytes_per_second"`
	SentPerSecond     *float64 `json:"sent_bytes_per_second"`
	Latency
	// Buckets are for who compares documents that are looks without an earlier one.
	Buckets []Bucket `json:"latency_buckets"`
}

// Bucket is how many answers took longer than the bound of the one before it, and not
// longer than its own, since the region was created.
type Bucket struct {
	Bound   *float64 `json:"le_us"` // null: the last has none
	Answers uint64   `json:"answers"`
}

// Answers are requests that were answered.
type Answers struct {
	Requests uint64 `json:"requests"`
	Refused  uint64 `json:"refused"` // with 400 to 499
	Failed   uint64 `json:"failed"`  // with 500 or above

	RequestsPerSecond *float64 `json:"requests_per_second"`
	RefusedPerSecond  *float64 `json:"refused_per_second"`
	FailedPerSecond   *float64 `json:"failed_per_second"`
}

// Worker is one slot that is not free. What it has counted, it has over all processes of
// the slot.
type Worker struct {
	Slot         int       `json:"slot"`
	PID          int       `json:"pid"`
	Generation   uint32    `json:"generation"`
	State        string    `json:"state"` // starting, ready, draining; dead: the process is gone and nobody has cleared up
	Alive        bool      `json:"alive"`
	StartedAt    time.Time `json:"started_at"`
	HeartbeatAge float64   `json:"heartbeat_age_seconds"`
	Connections  int64     `json:"connections"`  // 0 of a dead one
	Memory       uint64    `json:"memory_bytes"` // resident, the touched part of the region included; 0 of a dead one
	CPUPercent   *float64  `json:"cpu_percent"`  // of one CPU; null where it has not said in the interval
	CPU          float64   `json:"cpu_seconds"`  // that all processes of the slot have used, as of the last heartbeat
	Restarts     uint64    `json:"restarts"`
	Answers
	Latency
}

// Route is what was asked for.
type Route struct {
	Route string `json:"route"`
	Answers
}

// Shard is a part of the store, with a lock of its own.
type Shard struct {
	Shard              int      `json:"shard"`
	Keys               uint64   `json:"keys"`
	UsedPercent        float64  `json:"used_percent"`
	Writes             uint64   `json:"writes"`
	LockWaits          uint64   `json:"lock_waits"`
	WritesPerSecond    *float64 `json:"writes_per_second"`
	LockWaitsPerSecond *float64 `json:"lock_waits_per_second"`
}
