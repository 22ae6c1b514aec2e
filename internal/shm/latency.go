package shm

import (
	"math/bits"
	"time"
)

// LatencyBounds are the upper ends of the buckets that latencies are counted in; one
// more has what took longer.
var LatencyBounds = [latencyBuckets - 1]time.Duration{
	2 * time.Microsecond, 5 * time.Microsecond, 10 * time.Microsecond,
	20 * time.Microsecond, 50 * time.Microsecond, 100 * time.Microsecond,
	200 * time.Microsecond, 500 * time.Microsecond, time.Millisecond,
	2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond,
	20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	200 * time.Millisecond, 500 * time.Millisecond, time.Second,
	2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 50 * time.Second,
}

const latencyBuckets = 24

// bucketFrom has the first bucket that a duration of so many bits may be in: two
// bounds at the most lie within one power of two.
var bucketFrom = func() (from [65]uint8) {
	for n := range from {
		least := uint64(0)
		if n > 0 {
			least = 1 << (n - 1)
		}
		for from[n] < latencyBuckets-1 && uint64(LatencyBounds[from[n]]) < least {
			from[n]++
		}
	}
	return from
}()

// bucketOf is where a latency is counted: the first whose bound is not below it.
func bucketOf(took time.Duration) int {
	ns := uint64(max(took, 0))
	i := int(bucketFrom[bits.Len64(ns)])
	for i < latencyBuckets-1 && ns > uint64(LatencyBounds[i]) {
		i++
	}
	return i
}
