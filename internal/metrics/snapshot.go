package metrics

import (
	"time"

	"github.com/fondue-server/fondue/internal/shm"
)

// Snapshot is all that is measured, at one moment but for what changes while it is
// read: each figure is exact.
type Snapshot struct {
	At    time.Time
	Info  shm.Info
	Store shm.Counts
	Slots []Slot // of workers, that have one or have had one; in order
	// Sum is of all slots. Its counters never fall.
	Sum shm.Meters
	// Connections are open now, and Restarts are processes beyond the first of each
	// slot.
	Connections int64
	Restarts    uint64
	Deaths      uint64 // of processes that were not told to end
}

// Slot is a worker's place: its process, if it has one, and what its processes have
// counted.
type Slot struct {
	shm.SlotInfo // State 0: nobody is there
	Meters       shm.Meters
}

// Take reads a region. It takes no lock.
func Take(r *shm.Region) Snapshot {
	s := Snapshot{At: time.Now(), Info: r.Info(), Store: r.Counts()}
	rows := r.WorkerSlots()
	s.Slots = make([]Slot, 0, len(rows))
	for _, row := range rows {
		s.Slots = append(s.Slots, Slot{SlotInfo: row})
		one := &s.Slots[len(s.Slots)-1]
		r.ReadMeters(row.Slot, &one.Meters)
		if one.State == 0 && one.Processes == 0 && one.Meters == (shm.Meters{}) {
			s.Slots = s.Slots[:len(s.Slots)-1] // nobody was ever there
			continue
		}
		s.Sum.Add(&one.Meters)
		s.Connections += one.Connections
		s.Restarts += one.Restarts
		s.Deaths += one.Deaths
	}
	return s
}

// InState is how many workers are in a state.
func (s *Snapshot) InState(state shm.State) (n int) {
	for i := range s.Slots {
		if s.Slots[i].State == state {
			n++
		}
	}
	return n
}
