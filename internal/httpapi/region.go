package httpapi

import (
	"encoding/json"
	"time"
)

// region is the state of the region as clients see it. Sizes are in bytes.
type region struct {
	Size               int64   `json:"size"`
	Used               int64   `json:"used"` // of the room for keys and values
	Free               int64   `json:"free"`
	LargestValue       int64   `json:"largest_value"`         // that some new key could store now
	LargestValueAnyKey int64   `json:"largest_value_any_key"` // that every new key could store now
	MaxValue           int64   `json:"max_value"`             // that is allowed
	Entries            uint64  `json:"entries"`
	Expiring           uint64  `json:"expiring"` // entries with a time to live
	Evict              string  `json:"evict"`
	Evictions          uint64  `json:"evictions"` // with the five below: since the region was created
	Expiries           uint64  `json:"expiries"`
	LockWaits          uint64  `json:"lock_waits"`
	LongestWait        float64 `json:"longest_wait_us"` // for a shard's lock
	LongestHold        float64 `json:"longest_hold_us"` // of one
	Recoveries         uint64  `json:"recoveries"`
	Shards             int     `json:"shards"`
	WorkerSlots        int     `json:"worker_slots"`
}

// region answers /v1/region.
func (a *API) region(r *request) error {
	if err := r.parseQuery(0); err != nil {
		return err
	}
	s := a.commands.Region()
	evict := "none"
	if s.Evict {
		evict = "clock"
	}
	b, err := json.Marshal(region{
		Size: s.Size, Used: s.Used, Free: s.Free,
		LargestValue: s.LargestValue, LargestValueAnyKey: s.LargestValueAnyKey, MaxValue: s.MaxValue,
		Entries: s.Entries, Expiring: s.Expiring,
		Evict: evict, Evictions: s.Evictions, Expiries: s.Expiries,
		LockWaits: s.LockWaits, LongestWait: microseconds(s.LongestWait), LongestHold: microseconds(s.LongestHold), Recoveries: s.Recoveries,
		Shards: s.Shards, WorkerSlots: s.Slots,
	})
	if err != nil {
		return err
	}
	return r.reply(append(r.body, b...))
}

func microseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
