package status

import (
	"time"

	"github.com/fondue-server/fondue/internal/shm"
)

// quantile is the latency that a share q of the answers did not exceed, in
// microseconds, by buckets as shm.LatencyBounds has them; nil without answers. Within a
// bucket answers are taken to lie evenly from its lower end to its upper one. The last
// has no upper end: of that it is the lower one.
func quantile(buckets []uint64, q float64) *float64 {
	all := uint64(0)
	for _, n := range buckets {
		all += n
	}
	if all == 0 {
		return nil
	}
	rank, below, lower := q*float64(all), 0.0, time.Duration(0)
	for i, n := range buckets {
		if i == len(shm.LatencyBounds) {
			break
		}
		upper := shm.LatencyBounds[i]
		if n > 0 && below+float64(n) >= rank {
			share := (rank - below) / float64(n)
			return number((float64(lower) + share*float64(upper-lower)) / float64(time.Microsecond))
		}
		below += float64(n)
		lower = upper
	}
	return number(float64(lower) / float64(time.Microsecond))
}
