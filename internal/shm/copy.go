package shm

import (
	"errors"
	"fmt"
)

// copyKeys is how many keys are listed at once.
const copyKeys = 256

// CopyTo sets in another store, which holds nothing yet, all that this one holds:
// keys with their values and times to live, the start-up arguments, and what its
// slots have counted. Nobody changes either store meanwhile. Versions are drawn
// anew. It returns the number of keys. Errors: ErrFull, ErrValueTooLarge, where
// the other one cannot hold it; ErrCorrupt.
func (s *Store) CopyTo(to *Store) (keys int, err error) {
	var page []Key
	var value []byte
	for cursor := []byte(nil); ; {
		if page, cursor, err = s.Scan(page[:0], nil, cursor, copyKeys); err != nil {
			return keys, err
		}
		for _, k := range page {
			item, err := s.Read(value[:0], k.Key)
			if errors.Is(err, ErrNotFound) {
				continue // it expired
			}
			if err != nil {
				return keys, fmt.Errorf("key %.40q: %w", k.Key, err)
			}
			if !item.Integer {
				value = item.Bytes
			}
			if _, err := to.Put(k.Key, Put{Value: item.Value, TTL: item.TTL}); err != nil {
				return keys, fmt.Errorf("key %.40q: %w", k.Key, err)
			}
			keys++
		}
		if len(cursor) == 0 {
			break
		}
	}
	s.copyCounts(to)
	return keys, s.copyArgs(to)
}

func (s *Store) copyArgs(to *Store) error {
	args, err := s.Args(nil)
	if err != nil || args == nil {
		return err
	}
	if _, err := to.SetArgs(args); err != nil {
		return fmt.Errorf("arguments: %w", err)
	}
	return nil
}

// copyCounts goes on with the sums of the slots, which are promised never to
// fall. Those of slots that the other has not are counted in its last one.
func (s *Store) copyCounts(to *Store) {
	for i := range int(s.region.sb.slots) {
		from, into := s.region.slot(i), to.region.slot(min(i, int(to.region.sb.slots)-1))
		add(&into.requests, from.requests.Load())
		add(&into.errors, from.errors.Load())
		add(&into.spawns, from.spawns.Load())
	}
}
