package shm

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Recovery tells what a death left and what was done about it.
type Recovery struct {
	ID
	PID    int
	Master bool // the process was a master's or a tool's
	Locks  int  // that the dead process held, each of a shard that was made whole
	// What it had left half done in those shards: dead entries that were still
	// linked, and bytes that were taken and reached by nothing.
	Unlinked int
	Freed    int64
	Silent   time.Duration // since its last beat
}

// Recover makes the region whole after the death of a process: takes over the
// locks it held, finishes the changes it committed, wakes whoever waits, and
// frees its slot for the next generation. The process must have been reaped by
// the caller; nothing else may take a lock away. Calling it again is harmless.
// Errors: ErrCorrupt; the slot is then left as it is.
func (s *Store) Recover(id ID) (Recovery, error) {
	done, err := s.repairAll(lockOwner(id))
	done.ID = id
	rec := s.region.slot(id.Slot)
	done.Master = id.Slot >= int(s.region.sb.slots)
	done.PID, done.Silent = int(rec.pid.Load()), since(now(), rec.beat.Load())
	if err != nil {
		return done, err
	}
	s.free(id)
	return done, nil
}

// repairAll takes each lock from the dead owner, repairs what it guards, and
// gives it back. A death in here leaves locks in the recoverer's name, for the
// one who recovers it. Every lock's sleepers are woken in the end: the dead
// may have freed a lock and not come to waking anybody, or have been the one
// that was woken.
func (s *Store) repairAll(dead uint32) (done Recovery, err error) {
	for i := range s.region.shards {
		sh := &s.region.shards[i]
		if !seize(&sh.header.lock, dead, s.owner) {
			continue
		}
		done.Locks++
		found, failed := sh.rebuildLocked()
		if failed != nil {
			// It stays locked: what is broken must not be built upon.
			err = errors.Join(err, fmt.Errorf("shard %d: %w", i, failed))
			handBack(&sh.header.lock, s.owner, dead)
			continue
		}
		done.Unlinked += int(found.unlinked)
		done.Freed += int64(found.freed * unitSize)
		surrender(&sh.header.lock)
	}
	s.region.eachLock(wake)
	return done, err
}

func (r *Region) eachLock(do func(*atomic.Uint32)) {
	for i := range r.shards {
		do(&r.shards[i].header.lock)
	}
}

// free gives a slot to its next generation. It does nothing if that happened.
func (s *Store) free(id ID) {
	rec := s.region.slot(id.Slot)
	for {
		w := rec.control.Load()
		gen, phase := unpackControl(w)
		if gen != id.Generation || phase == phaseFree {
			return
		}
		if cas(&rec.control, w, packControl(gen+1, phaseFree)) {
			return
		}
	}
}

// Sweep recovers the slots of dead masters and of their workers: deaths that
// no living process has reaped. A master calls it from time to time when it
// shares the region.
func (s *Store) Sweep() ([]Recovery, error) {
	if s.life == nil || !s.sharesRegion() {
		return nil, nil
	}
	s.door.Lock()
	defer s.door.Unlock()
	if err := enter(s.life); err != nil {
		return nil, err
	}
	defer letGo(s.life, doorByte)
	return s.sweep()
}

// sharesRegion is a cheap look at whether any slot is not this master's.
func (s *Store) sharesRegion() bool {
	for i := range s.region.slotCount() {
		rec := s.region.slot(i)
		if _, phase := unpackControl(rec.control.Load()); phase != phaseFree && rec.owner.Load() != packID(s.id) {
			return true
		}
	}
	return false
}

// sweep is Sweep behind the door.
func (s *Store) sweep() (all []Recovery, err error) {
	for i := range s.region.slotCount() {
		rec := s.region.slot(i)
		gen, phase := unpackControl(rec.control.Load())
		if phase == phaseFree || i == s.id.Slot {
			continue
		}
		owned, err := s.masterAlive(unpackID(rec.owner.Load()))
		if err != nil {
			return all, err
		}
		if owned && i < int(s.region.sb.slots) {
			continue // its master reaps it
		}
		done, ok, err := s.recoverUnreaped(ID{Slot: i, Generation: gen})
		if err != nil {
			return all, err
		}
		if ok {
			all = append(all, done)
		}
	}
	return all, nil
}

// recoverUnreaped recovers a slot while holding its byte lock, which no living
// process does then, and none can take: a worker that is only now starting
// fails to attach.
func (s *Store) recoverUnreaped(id ID) (done Recovery, ok bool, err error) {
	at := s.region.lifeByte(id.Slot)
	if ok, err := hold(s.life, at); err != nil || !ok {
		return Recovery{}, false, err
	}
	defer letGo(s.life, at)
	// What no master has reaped was told to end, or has found itself orphaned, if it
	// says so.
	dead := id.Slot < int(s.region.sb.slots) && s.StateOf(id.Slot) != StateDraining
	done, err = s.Recover(id)
	if err == nil && dead {
		s.Died(id)
	}
	return done, err == nil, err
}
