package shm

import (
	"testing"
	"time"
)

// Some changes give no number to a write and unlink no entry: a time to live
// that begins or ends changes a count in the header and the entry, and a counter
// that widens two words of the entry. A check has all of it before, or after.
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
	} {
		t.Run(name, func(t *testing.T) {
			r := heapRegion(t, Geometry{Size: MinSize, Slots: 1})
			_, s := attached(t, r)
			if _, err := s.Set(key, 1); err != nil {
				t.Fatal(err)
			}
			checked, checks := 0, 100
			if testing.Short() {
				checks = 20
			}
			for n := range checks {
				report := checkAmong(r, []*Store{s}, func(s *Store, i int) {
					for ; i < 20_000; i += 1 + n {
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
