package shm

import (
	"os"
	"sync"
)

// ID names a process of the region: a slot of the scoreboard and how many
// processes had it before. Workers' slots come first, then the masters'.
type ID struct {
	Slot       int
	Generation uint32
}

// Store is a process's place in a region: what it reads and writes with. All
// its methods may be called from any goroutine of the process.
type Store struct {
	region *Region
	seed   uint64
	id     ID
	owner  uint32 // in lock words
	slot   *slotRecord
	life   *os.File // holds the byte lock on the slot; nil on the heap

	// One goroutine of this process for each shard contends for the shared
	// lock; the others wait here, where the Go scheduler sees them.
	local     []sync.Mutex
	localArgs sync.Mutex
	door      sync.Mutex // in front of the door, which is this process's, not a goroutine's
}

func newStore(r *Region, id ID, life *os.File) *Store {
	return &Store{
		region: r,
		seed:   r.sb.hashSeed,
		id:     id,
		owner:  lockOwner(id),
		slot:   r.slot(id.Slot),
		life:   life,
		local:  make([]sync.Mutex, len(r.shards)),
	}
}

// ID is the identity that this process took.
func (s *Store) ID() ID { return s.id }

func (s *Store) shardOf(k *target) *shard { return &s.region.shards[k.hash>>s.region.shift] }

func (s *Store) lock(sh *shard) {
	s.local[sh.index].Lock()
	if acquire(&sh.header.lock, s.owner) {
		add(&sh.header.waits, 1)
	}
}

func (s *Store) unlock(sh *shard) {
	release(&sh.header.lock)
	s.local[sh.index].Unlock()
}
