package shm

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// CopyTo sets in another store, which holds nothing yet, all that this one holds:
// keys with their values and times to live, the start-up arguments, and what its
// slots have counted. Nobody changes either store meanwhile. Versions are drawn
// anew. It returns the number of keys. Errors: ErrFull, ErrValueTooLarge, where
// the other one cannot hold it; ErrCorrupt.
func (s *Store) CopyTo(to *Store) (keys int, err error) {
	var next, copied atomic.Int64
	failed := make(chan error, 1) // the first error
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for len(failed) == 0 {
				i := int(next.Add(1) - 1)
				if i >= len(s.region.shards) {
					return
				}
				n, err := s.copyShard(to, i)
				copied.Add(int64(n))
				if err != nil {
					select {
					case failed <- err:
					default:
					}
					return
				}
			}
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		return int(copied.Load()), err
	default:
	}
	s.copyCounts(to)
	err = s.copyArgs(to)
	s.copyWrites(to)
	return int(copied.Load()), err
}

func (s *Store) copyShard(to *Store, shard int) (keys int, err error) {
	var found []scanned
	var value []byte
	first := uint64(shard) * s.region.sb.buckets
	for bucket := first; bucket < first+s.region.sb.buckets; bucket++ {
		if found, err = s.readBucket(found[:0], bucket, nil); err != nil {
			return keys, err
		}
		for _, k := range found {
			item, err := s.Read(value[:0], k.Key.Key)
			if errors.Is(err, ErrNotFound) {
				continue // it expired
			}
			if err != nil {
				return keys, fmt.Errorf("key %.40q: %w", k.Key.Key, err)
			}
			if !item.Integer {
				value = item.Bytes
			}
			if _, err := to.Put(k.Key.Key, Put{Value: item.Value, TTL: item.TTL}); err != nil {
				return keys, fmt.Errorf("key %.40q: %w", k.Key.Key, err)
			}
			keys++
		}
	}
	return keys, nil
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

// copyWrites goes on with the number of writes, in the first shard, and leaves out
// those that made the copy.
func (s *Store) copyWrites(to *Store) {
	for i := range to.region.shards {
		h := to.region.shards[i].header
		put(&h.carried, -h.versions.Load())
	}
	first := to.region.shards[0].header
	add(&first.carried, s.region.Counts().Writes)
}

// copyCounts goes on with the sums of the slots, which are promised never to
// fall. Those of slots that the other has not are counted in its last one.
func (s *Store) copyCounts(to *Store) {
	for i := range int(s.region.sb.slots) {
		place := min(i, int(to.region.sb.slots)-1)
		add(&to.region.slot(place).spawns, s.region.slot(i).spawns.Load())
		add(&to.region.slot(place).deaths, s.region.slot(i).deaths.Load())
		add(&to.region.slot(place).cpu, s.region.slot(i).cpu.Load())
		into := to.region.meters(place).words()
		for word, from := range s.region.meters(i).words() {
			add(into[word], from.Load())
		}
	}
	// Of the shards' own, which sums alone are shown of, the first has them all.
	into := to.region.shards[0].header
	for i := range s.region.shards {
		from := s.region.shards[i].header
		add(&into.waits, from.waits.Load())
		add(&into.repairs, from.repairs.Load())
		add(&into.evictions, from.evictions.Load())
		add(&into.expiries, from.expiries.Load())
		put(&into.longestWait, max(into.longestWait.Load(), from.longestWait.Load()))
		put(&into.longestHold, max(into.longestHold.Load(), from.longestHold.Load()))
	}
}
