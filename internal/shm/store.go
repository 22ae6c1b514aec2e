package shm

import (
	"crypto/cipher"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// ID names a process of the region: a slot of the scoreboard and how many
// processes had it before. Workers' slots come first, then the masters'.
type ID struct {
	Slot       int
	Generation uint32
}

// Store is a process's place in a region: what it reads and writes with. All
// its methods may be called from any goroutine of the process, but SetPolicy.
//
// Every operation on keys is linearizable: it happens at one moment between
// call and return, for all processes alike. Each may return ErrLocked where it
// needs a shard's lock, and ErrCorrupt where it meets damage.
type Store struct {
	region *Region
	seed   uint64
	id     ID
	owner  uint32 // in lock words
	slot   *slotRecord
	meters *meterRecord // a master's are its own, and nobody's to read
	cpu    uint64       // ns that the slot's processes before this one have used
	life   *os.File     // holds the byte lock on the slot; nil on the heap

	evict    bool
	maxValue uint64
	brief    bool // see Brief

	sweeping  *sync.Mutex
	sweepNext int // shard where the sweep goes on

	cursors cipher.Block // what a cursor says of the hash is nobody's business

	local []localLock
	door  *sync.Mutex // in front of the door, which is this process's, not a goroutine's
}

// localLock is in front of a shard's lock: one goroutine of this process for
// each shard contends for the shared one; the others wait here, where the Go
// scheduler sees them.
type localLock struct {
	sync.Mutex
	since int64     // ns; when the shared lock was taken, 0 where that is not timed
	turns uint32    // times it was taken
	stuck lockState // where it was given up: others need not wait as long
	_     [16]byte  // to a cache line
}

// Policy is what a process does that it could do otherwise.
type Policy struct {
	// Evict lets keys that were not used lately go when there is no room.
	Evict bool
	// MaxValue is the largest value in bytes that is stored; 0 is the smaller of
	// DefaultMaxValue and what a shard holds.
	MaxValue int64
}

func newStore(r *Region, id ID, life *os.File) *Store {
	s := &Store{
		region: r,
		seed:   r.sb.hashSeed,
		id:     id,
		owner:  lockOwner(id),
		slot:   r.slot(id.Slot),
		life:   life,
		local:  make([]localLock, len(r.shards)),

		sweeping: new(sync.Mutex), door: new(sync.Mutex),

		cursors: cursorCipher(&r.sb),
	}
	if id.Slot < int(r.sb.slots) {
		s.meters, s.cpu = r.meters(id.Slot), s.slot.cpu.Load()
	} else {
		s.meters = new(meterRecord)
	}
	s.sweepNext = id.Slot % len(r.shards) // not all workers at the same one first
	r.handed.Do(func() { r.setHands(id.Slot) })
	s.SetPolicy(Policy{})
	return s
}

// SetPolicy is called before anything else is done with the store.
func (s *Store) SetPolicy(p Policy) {
	most := s.region.sb.largestValue()
	if p.MaxValue <= 0 {
		p.MaxValue = DefaultMaxValue
	}
	s.evict, s.maxValue = p.Evict, min(uint64(p.MaxValue), most)
}

// ID is the identity that this process took.
func (s *Store) ID() ID { return s.id }

func (s *Store) shardOf(k *target) *shard { return &s.region.shards[k.hash>>s.region.shift] }

// timedShare is one of how many holds of a lock are timed: reading the clock
// twice costs a fifth of a small change.
const timedShare = 16

// lock takes the shard's lock. Errors: ErrLocked, when its holder does not go
// on for some seconds.
func (s *Store) lock(sh *shard) error {
	l := &s.local[sh.index]
	if s.brief {
		return s.tryLock(sh, l)
	}
	l.Lock()
	limit := lockLook
	if l.stuck.holder != 0 && l.stuck == sh.lockState() {
		limit = 0 // given up before, and nothing has moved since
	}
	waited, ok := acquire(&sh.header.lock, s.owner, limit)
	if !ok {
		var slept time.Duration
		if slept, ok = s.outwait(sh, l); !ok {
			l.Unlock()
			return ErrLocked
		}
		waited += slept
	}
	l.stuck = lockState{}
	if waited > 0 {
		add(&sh.header.waits, 1)
		raise(&sh.header.longestWait, uint64(waited))
	}
	l.took()
	return nil
}

// took begins a hold of the lock.
func (l *localLock) took() {
	l.since = 0
	if l.turns++; l.turns%timedShare == 0 {
		l.since = nanotime()
	}
}

// timeHold is for the lock holder who is about to do what may take long.
func (s *Store) timeHold(sh *shard) { s.local[sh.index].since = nanotime() }

// lockState is what moves while the holders of a lock go on.
type lockState struct {
	holder        uint32
	versions, seq uint64
}

func (sh *shard) lockState() lockState {
	h := sh.header
	return lockState{h.lock.Load() &^ waiters, h.versions.Load(), h.seq.Load()}
}

// outwait goes on waiting as long as the holders go on. It is not ok when one
// holder was seen doing nothing, lockLooks times in a row by this process.
func (s *Store) outwait(sh *shard, l *localLock) (waited time.Duration, ok bool) {
	last := sh.lockState()
	if last == l.stuck {
		return 0, false
	}
	for still := 1; still < lockLooks; still++ {
		slept, ok := acquire(&sh.header.lock, s.owner, lockLook)
		if waited += slept; ok {
			return waited, true
		}
		if is := sh.lockState(); is != last {
			last, still = is, 0
		}
	}
	l.stuck = last
	return waited, false
}

func (s *Store) unlock(sh *shard) {
	l := &s.local[sh.index]
	if l.since != 0 {
		raise(&sh.header.longestHold, uint64(nanotime()-l.since))
	}
	release(&sh.header.lock)
	l.Unlock()
}

// raise is for the lock holder.
func raise(p *atomic.Uint64, v uint64) {
	if v > p.Load() {
		put(p, v)
	}
}

// lookLocked finds the key for the lock holder. One that has expired is removed
// on the way, and is absent.
func (s *Store) lookLocked(sh *shard, k *target, f *found) (at place, err error) {
	at, err = sh.findLocked(k, f)
	for err == nil && f.e != nil && f.expired(s.region) {
		sh.expireLocked(at, f)
		at, err = sh.findLocked(k, f)
	}
	return at, err
}

// expireLocked removes an entry that has expired, unless somebody who looked at
// the clock before has just added to it.
func (sh *shard) expireLocked(at place, f *found) (ok bool) {
	if ok = sh.removeLocked(at, f); ok {
		add(&sh.header.expiries, 1)
	}
	return ok
}

func validKey(key []byte) bool { return uint(len(key)-1) < MaxKey }

func (s *Store) checkSize(v Value) error {
	if n := uint64(len(v.Bytes)); n > s.maxValue {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrValueTooLarge, n, s.maxValue)
	}
	return nil
}

// SetArgs replaces the start-up arguments, for every process at once.
// Errors: ErrValueTooLarge, ErrFull.
func (s *Store) SetArgs(b []byte) (Effect, error) {
	if err := s.checkSize(BytesValue(b)); err != nil {
		return Effect{}, err
	}
	return s.put(nil, &Put{Value: BytesValue(b)})
}

// Args appends the start-up arguments to dst; it returns nil if none were ever
// set. They are kept under the empty key, which nobody else can name.
func (s *Store) Args(dst []byte) ([]byte, error) {
	item, err := s.read(dst, nil)
	if err == ErrNotFound {
		return nil, nil
	}
	return item.Bytes, err
}
