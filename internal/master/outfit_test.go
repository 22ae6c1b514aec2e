package master

import "testing"

func TestMemoryShare(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		limit, region int64
		workers       int
		want          int64
	}{
		{0, 32 * mib, 4, 0},
		{1032 * mib, 32 * mib, 4, 180 * mib},
		{132 * mib, 32 * mib, 1, 45 * mib},
		{132 * mib, 32 * mib, 16, 0}, // too little to keep to
		{16 * mib, 32 * mib, 1, 0},
	} {
		if got := memoryShare(c.limit, c.region, c.workers); got/mib != c.want/mib {
			t.Errorf("memoryShare(%d, %d, %d) = %d MiB, want %d", c.limit, c.region, c.workers, got/mib, c.want/mib)
		}
	}
}
