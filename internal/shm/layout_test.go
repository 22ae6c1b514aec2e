package shm

import (
	"fmt"
	"hash/fnv"
	"os"
	"reflect"
	"strings"
	"testing"
)

// layoutTable prints the offset and size of every named field of the overlays.
func layoutTable() string {
	var out strings.Builder
	for _, overlay := range []any{superblock{}, slotRecord{}, meterRecord{}, shardHeader{}, entry{}} {
		t := reflect.TypeOf(overlay)
		fmt.Fprintf(&out, "%s %d\n", t.Name(), t.Size())
		for f := range t.Fields() {
			if f.Name != "_" {
				fmt.Fprintf(&out, "  %-4d %-4d %s\n", f.Offset, f.Type.Size(), f.Name)
			}
		}
	}
	fmt.Fprintf(&out, "word: %d value bits, %d generation bits, kinds %d %d %d %d\n", valueBits, genBits, kindDead, kindWide, kindBytes, kindNarrow)
	fmt.Fprintf(&out, "meta: %d bits of length, %d of hash; expiry: %d bits\n", metaHash, metaTail-metaHash, expiryBits)
	fmt.Fprintf(&out, "extent: units from bit %d, high from bit %d, at most %d units of %d bytes\n", extentUnitsShift, extentHighShift, maxExtent, unitSize)
	fmt.Fprintf(&out, "latency: up to %v\n", LatencyBounds)
	return out.String()
}

// A changed layout is a changed version: the golden file, layoutFingerprint and
// LayoutVersion change together.
func TestLayoutIsPinned(t *testing.T) {
	got := layoutTable()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile("testdata/layout.golden", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/layout.golden")
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the layout changed; raise LayoutVersion and update testdata/layout.golden:\n%s", got)
	}
	h := fnv.New64a()
	h.Write([]byte(got))
	if h.Sum64() != layoutFingerprint {
		t.Errorf("layoutFingerprint is %#x, the layout's is %#x", uint64(layoutFingerprint), h.Sum64())
	}
}

// The offsets that links and the checker use are those of the overlays.
func TestOffsetsMatchOverlays(t *testing.T) {
	for _, c := range []struct {
		overlay any
		field   string
		want    uintptr
	}{
		{shardHeader{}, "entries", entriesAt},
		{shardHeader{}, "versions", versionsAt},
		{shardHeader{}, "expiring", expiringAt},
		{shardHeader{}, "used", usedAt},
		{entry{}, "link", linkAt},
		{entry{}, "wide", wideAt},
		{entry{}, "meta", metaAt},
		{entry{}, "expiry", expiryAt},
		{entry{}, "version", versionAt},
		{entry{}, "key", keyAt},
		{superblock{}, "crc", crcOffset},
	} {
		f, ok := reflect.TypeOf(c.overlay).FieldByName(c.field)
		if !ok || f.Offset != c.want {
			t.Errorf("%T.%s is at %d, the constant says %d", c.overlay, c.field, f.Offset, c.want)
		}
	}
}
