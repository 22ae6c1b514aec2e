package dump

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/shm"
)

// newStore returns a store on the heap, which is checked at the end.
func newStore(t testing.TB, size int64) *shm.Store {
	t.Helper()
	region, err := shm.NewHeap(shm.Geometry{Size: size, Slots: 4})
	if err != nil {
		t.Fatal(err)
	}
	store, _, err := region.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if report := region.Check(); !report.OK() {
			t.Errorf("region after the test: %v", report.Violations)
		}
	})
	return store
}

func put(t testing.TB, store *shm.Store, r Record) {
	t.Helper()
	if _, err := store.Put(r.Key, shm.Put{Value: r.Value, TTL: r.TTL}); err != nil {
		t.Fatalf("put %.40q: %v", r.Key, err)
	}
}

// save returns the lines of a dump, sorted.
func save(t testing.TB, store *shm.Store, prefix string) []string {
	t.Helper()
	var text bytes.Buffer
	if err := Save(&text, store, []byte(prefix)); err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(strings.Lines(text.String()))
}

func mustRead(t testing.TB, text string) *Input {
	t.Helper()
	in, err := Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return in
}
