package status

import (
	"github.com/fondue-server/fondue/internal/metrics"
	"github.com/fondue-server/fondue/internal/shm"
)

// Sample is a region at one moment: what is measured of it, and what only the kernel
// and the shards know.
type Sample struct {
	metrics.Snapshot
	Masters []shm.SlotInfo // that live
	Alive   map[int]bool   // by worker's slot: its process lives, or is about to
	Shards  []shm.Counts
}

// lives reports whether any process of a server does.
func (s *Sample) lives() bool {
	for _, alive := range s.Alive {
		if alive {
			return true
		}
	}
	return len(s.Masters) > 0
}

// Take reads a region. It takes no lock and writes nothing.
func Take(r *shm.Region) (*Sample, error) {
	s := &Sample{Snapshot: metrics.Take(r), Alive: map[int]bool{}}
	living := map[shm.ID]bool{}
	for _, row := range r.Slots() {
		if !row.Master {
			continue
		}
		alive, err := r.Alive(row.Slot)
		if err != nil {
			return nil, err
		}
		if alive {
			s.Masters = append(s.Masters, row)
			living[row.ID] = true
		}
	}
	for i := range s.Slots {
		slot := &s.Slots[i]
		if slot.State == 0 {
			continue
		}
		// One that has not proved its life yet is its master's business.
		alive := living[slot.Owner]
		if slot.Live {
			var err error
			if alive, err = r.Alive(slot.Slot); err != nil {
				return nil, err
			}
		}
		s.Alive[slot.Slot] = alive
	}
	for i := range s.Info.Shards {
		s.Shards = append(s.Shards, r.CountsOf(i))
	}
	return s, nil
}
