package run

import (
	"fmt"
	"sync"

	"github.com/fondue-server/fondue/bench/load"
)

// readers read back counters at the same time: as many connections as
// http.DefaultTransport keeps for one host.
const readers = 2

// counts compares what was acknowledged with what was counted.
type counts struct {
	acknowledged, counted int64
	differ                int // keys whose counter is not what was acknowledged
}

// count reads every counter that was added to. Count of a target is called from
// several goroutines.
func count(s interface{ Count(string) (int64, error) }, acknowledged []int64) (counts, error) {
	var (
		group  sync.WaitGroup
		parts  [readers]counts
		failed [readers]error
	)
	for i := range readers {
		group.Go(func() {
			for key := i; key < len(acknowledged); key += readers {
				if acknowledged[key] == 0 {
					continue
				}
				n, err := s.Count(load.Key(key))
				if err != nil {
					failed[i] = fmt.Errorf("key %s: %w", load.Key(key), err)
					return
				}
				parts[i].acknowledged += acknowledged[key]
				parts[i].counted += n
				if n != acknowledged[key] {
					parts[i].differ++
				}
			}
		})
	}
	group.Wait()
	var all counts
	for i := range readers {
		if failed[i] != nil {
			return counts{}, failed[i]
		}
		all.acknowledged += parts[i].acknowledged
		all.counted += parts[i].counted
		all.differ += parts[i].differ
	}
	return all, nil
}
