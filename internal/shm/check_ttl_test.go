package shm

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// Some changes give no number to a write and unlink no entry: a time to live
// that begins or ends changes a count in the header and the entry, and a counter
// that widens two words of the entry; and a write that is refused halfway has
// had units. A check has all of it before, or after.
func TestCheckAmongChangesInPlace(t *testing.T) {
	t.Parallel()
	key := []byte("key")
	for name, change := range map[string]func(s *Store, i int) error{
		"time to live": func(s *Store, i int) error {
			_, err := s.SetTTL(key, time.Duration(i%2)*time.Hour, Condition{})
			return err
		},
		"width": func(s *Store, i int) error {
			_, err := s.Set(key, int64(i%2)*(narrowMax+1))
			return err
		},
		"refused halfway": func(s *Store, _ int) error {
			_, err := s.Put([]byte("large"), Put{Value: BytesValue(make([]byte, holes*28))})
			if !errors.Is(err, ErrFull) {
				return fmt.Errorf("%d bytes in %d units: %w", holes*28, holes, err)
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := heapRegion(t, Geometry{Size: MinSize, Slots: 1})
			_, s := attached(t, r)
			if _, err := s.Set(key, 1); err != nil {
				t.Fatal(err)
			}
			most := 20_000
			if name == "refused halfway" {
				bore(t, s)
				most = 2000
			}
			checked, checks := 0, 100
			if testing.Short() {
				checks = 20
			}
			for n := range checks {
				report := checkAmong(r, []*Store{s}, func(s *Store, i int) {
					for ; i < most; i += 1 + n {
						if err := change(s, i); err != nil {
							t.Error(err)
						}
					}
				})
				checked += report.Shards - len(report.Busy)
				if len(report.Violations) > 0 {
					t.Errorf("false alarm: %v", report.Violations)
					break
				}
			}
			if checked == 0 {
				t.Error("the shard never held still: nothing was checked")
			}
		})
	}
}

// holes units are free in a region after bore, one beside none, and some lines.
const holes = 400

// bore fills a region with values of one unit each, and removes some of them.
func bore(t *testing.T, s *Store) {
	t.Helper()
	key := func(i int) []byte { return fmt.Appendf(nil, "k%06d", i) }
	n := 0
	for ; ; n++ {
		if _, err := s.Put(key(n), Put{Value: BytesValue(make([]byte, 24))}); errors.Is(err, ErrFull) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	// What a write takes and gives at once is its entry's line and its value's unit.
	for i := range holes {
		if _, err := s.Set(key(2*i), 1); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 8 {
		if err := s.Remove(key(2*holes+2*i), Condition{}); err != nil {
			t.Fatal(err)
		}
	}
}
