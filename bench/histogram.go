package main

import (
	"math/bits"
	"time"
)

// Latencies are counted in buckets of a 64th of their power of two: an error
// below 1.6 %, and no allocation while measuring.
const (
	fineBits = 6
	fine     = 1 << fineBits
)

type histogram struct {
	count   int64
	buckets [(64 - fineBits) * fine]int64
}

func (h *histogram) record(d time.Duration) {
	h.count++
	h.buckets[bucketOf(uint64(max(d, 0)))]++
}

func bucketOf(n uint64) int {
	if n < fine {
		return int(n)
	}
	shift := bits.Len64(n) - fineBits - 1
	return shift<<fineBits + int(n>>shift)
}

// lowest is the smallest number of a bucket.
func lowest(bucket int) uint64 {
	if bucket < 2*fine {
		return uint64(bucket)
	}
	shift := bucket>>fineBits - 1
	return uint64(bucket-shift<<fineBits) << shift
}

func (h *histogram) add(other *histogram) {
	h.count += other.count
	for i, n := range other.buckets {
		h.buckets[i] += n
	}
}

// quantile returns the latency that a share of q of the requests did not exceed.
func (h *histogram) quantile(q float64) time.Duration {
	rest := int64(q * float64(h.count))
	for i, n := range h.buckets {
		if rest -= n; rest < 0 {
			return time.Duration(lowest(i))
		}
	}
	return 0
}
