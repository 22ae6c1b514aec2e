package shm

import (
	"fmt"
	"testing"
)

// BenchmarkCopyTo copies a million small objects into a region of twice the size.
func BenchmarkCopyTo(b *testing.B) {
	const keys = 1_000_000
	from := mappedRegion(b, Geometry{Size: 512 << 20, Slots: 4})
	_, s := attached(b, from)
	for i := range keys {
		if _, err := s.Put(fmt.Appendf(nil, "key:%d", i), Put{Value: BytesValue(fmt.Appendf(nil, `{"n":%d,"name":"user %d"}`, i, i))}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		b.StopTimer()
		to := mappedRegion(b, Geometry{Size: 1 << 30, Slots: 4})
		master, _, err := to.AttachMaster(false)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if n, err := s.CopyTo(master); err != nil || n != keys {
			b.Fatal(n, err)
		}
		b.StopTimer()
		if err := master.Detach(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/keys, "ns/key")
}
