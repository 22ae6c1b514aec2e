package shm

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// Attach takes the slot that a master claimed for this process, and proves its
// life from then on. Errors: ErrSlotLost when the master gave the slot up, or
// another process has it; the caller must leave without touching the region.
func (r *Region) Attach(id ID) (*Store, error) {
	if id.Slot < 0 || id.Slot >= r.slotCount() {
		return nil, fmt.Errorf("%w: slot %d of %d", ErrSlotLost, id.Slot, r.slotCount())
	}
	if r.readOnly {
		return nil, ErrReadOnly
	}
	if err := r.proveLife(id); err != nil {
		return nil, err
	}
	s := newStore(r, id, r.file)
	// After this store others may find our name in locks. A recoverer that
	// came first has moved the generation on, and it fails.
	if !cas(&s.slot.control, packControl(id.Generation, phaseClaimed), packControl(id.Generation, phaseLive)) {
		if r.file != nil {
			letGo(r.file, r.lifeByte(id.Slot))
		}
		return nil, lost(id)
	}
	s.Beat()
	return s, nil
}

func lost(id ID) error {
	return fmt.Errorf("%w: slot %d is not claimed for generation %d", ErrSlotLost, id.Slot, id.Generation)
}

// attachPatience bounds the wait for an earlier process of the slot that took
// the byte lock too late and is about to find out that the slot is not its own.
const attachPatience = time.Second

// proveLife takes the byte lock of a slot that is claimed for id.
func (r *Region) proveLife(id ID) error {
	control := &r.slot(id.Slot).control
	for deadline := time.Now().Add(attachPatience); ; time.Sleep(time.Millisecond) {
		if control.Load() != packControl(id.Generation, phaseClaimed) {
			return lost(id)
		}
		if r.file == nil {
			return nil
		}
		ok, err := hold(r.file, r.lifeByte(id.Slot))
		if err != nil {
			return fmt.Errorf("lock slot %d: %w", id.Slot, err)
		}
		if ok {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: another process lives in slot %d", ErrSlotLost, id.Slot)
		}
	}
}

// AttachMaster takes a master's slot and recovers every slot whose process is
// dead and whose master is too. What it repaired is returned for the log.
//
// Without join the caller becomes the region's only master: *InUseError when
// another one lives, *OrphansError while workers of a dead one still leave.
// With join one must live: ErrNoMaster. On an error no slot is taken.
func (r *Region) AttachMaster(join bool) (*Store, []Recovery, error) {
	if r.readOnly {
		return nil, nil, ErrReadOnly
	}
	if r.file == nil {
		return r.attachHeapMaster()
	}
	if r.life != nil {
		return nil, nil, &InUseError{PID: os.Getpid()}
	}
	life, err := reopen(r.file)
	if err != nil {
		return nil, nil, err
	}
	r.life = life
	s, done, err := r.attachMaster(join, life)
	if err != nil {
		r.life = nil
		return nil, done, errors.Join(err, life.Close())
	}
	return s, done, nil
}

// attachMaster takes a master's slot by locks on life.
func (r *Region) attachMaster(join bool, life *os.File) (*Store, []Recovery, error) {
	if err := enter(life); err != nil {
		return nil, nil, err
	}
	defer letGo(life, doorByte)
	masters, workers, err := r.living(life)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case join && len(masters) == 0:
		return nil, nil, ErrNoMaster
	case !join && len(masters) > 0:
		return nil, nil, &InUseError{PID: masters[0]}
	case !join && len(workers) > 0:
		return nil, nil, &OrphansError{PIDs: workers}
	}
	s, err := r.takeMasterSlot(life)
	if err != nil {
		return nil, nil, err
	}
	done, err := s.sweep()
	if err != nil {
		s.free(s.id)
		return nil, done, err
	}
	return s, done, nil
}

// living lists the pids of the masters and of the workers that hold their locks.
func (r *Region) living(f *os.File) (masters, workers []int, err error) {
	for i := range r.slotCount() {
		rec := r.slot(i)
		if _, phase := unpackControl(rec.control.Load()); phase == phaseFree {
			continue
		}
		live, err := r.alive(f, i)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case live && i >= int(r.sb.slots):
			masters = append(masters, int(rec.pid.Load()))
		case live:
			workers = append(workers, int(rec.pid.Load()))
		}
	}
	return masters, workers, nil
}

// takeMasterSlot takes a free master's slot, else a dead master's. The dead
// one's name may be in locks: it is taken over as it is, its work is finished
// under it, and only then does the generation move on; so a death in here
// leaves what the next master finds and repairs in the same way.
func (r *Region) takeMasterSlot(f *os.File) (*Store, error) {
	for _, wanted := range []bool{true, false} { // free ones first
		for i := int(r.sb.slots); i < r.slotCount(); i++ {
			rec := r.slot(i)
			gen, phase := unpackControl(rec.control.Load())
			if (phase == phaseFree) != wanted {
				continue
			}
			ok, err := hold(f, r.lifeByte(i))
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
			s := newStore(r, ID{Slot: i, Generation: gen}, f)
			if phase != phaseFree {
				if _, err := s.repairAll(s.owner); err != nil {
					return nil, err
				}
				s = newStore(r, ID{Slot: i, Generation: gen + 1}, f)
			}
			s.enroll()
			return s, nil
		}
	}
	return nil, fmt.Errorf("%w: %d masters are attached", ErrNoSlot, MasterSlots)
}

// enroll writes this process into its master's slot.
func (s *Store) enroll() {
	put(&s.slot.owner, packID(s.id))
	put(&s.slot.pid, uint64(os.Getpid()))
	put(&s.slot.started, uint64(time.Now().UnixMilli()))
	put(&s.slot.beat, now())
	put(&s.slot.state, uint64(StateReady))
	put(&s.slot.control, packControl(s.id.Generation, phaseLive))
}

// attachHeapMaster attaches one more master to a region on the heap, where
// all processes are this one and no lock can prove anything.
func (r *Region) attachHeapMaster() (*Store, []Recovery, error) {
	for i := int(r.sb.slots); i < r.slotCount(); i++ {
		if gen, phase := unpackControl(r.slot(i).control.Load()); phase == phaseFree {
			s := newStore(r, ID{Slot: i, Generation: gen}, nil)
			s.enroll()
			return s, nil, nil
		}
	}
	return nil, nil, ErrNoSlot
}

// Detach gives up this process's own slot. It holds no lock of the region: no
// operation is under way.
func (s *Store) Detach() error {
	s.free(s.id)
	if s.life == nil {
		return nil
	}
	if s.life == s.region.life { // a master's
		s.region.life = nil
		return s.life.Close()
	}
	return letGo(s.life, s.region.lifeByte(s.id.Slot))
}

// Claim reserves a worker's slot for a process that is about to be started:
// prefer if it is free, else the first free one. Errors: ErrNoSlot.
func (s *Store) Claim(prefer int) (ID, error) {
	if s.life != nil {
		s.door.Lock()
		defer s.door.Unlock()
		if err := enter(s.life); err != nil {
			return ID{}, err
		}
		defer letGo(s.life, doorByte)
	}
	if prefer >= 0 && prefer < int(s.region.sb.slots) {
		if id, ok := s.claim(prefer); ok {
			return id, nil
		}
	}
	for i := range int(s.region.sb.slots) {
		if id, ok := s.claim(i); ok {
			return id, nil
		}
	}
	return ID{}, fmt.Errorf("%w: all %d worker slots are taken", ErrNoSlot, s.region.sb.slots)
}

// claim is done behind the door. The owner is written first: a death between
// the two stores leaves a free slot.
func (s *Store) claim(slot int) (ID, bool) {
	rec := s.region.slot(slot)
	w := rec.control.Load()
	gen, phase := unpackControl(w)
	if phase != phaseFree {
		return ID{}, false
	}
	put(&rec.owner, packID(s.id))
	put(&rec.pid, 0)
	put(&rec.connections, 0)
	put(&rec.memory, 0)
	put(&rec.beat, now())
	put(&rec.started, uint64(time.Now().UnixMilli()))
	put(&rec.state, uint64(StateStarting))
	return ID{Slot: slot, Generation: gen}, cas(&rec.control, w, packControl(gen, phaseClaimed))
}

// Died counts the end of a process that was not told to end.
func (s *Store) Died(id ID) { add(&s.region.slot(id.Slot).deaths, 1) }

// Spawned records the process that was started for a claimed slot.
func (s *Store) Spawned(id ID, pid int) {
	rec := s.region.slot(id.Slot)
	put(&rec.pid, uint64(pid))
	add(&rec.spawns, 1)
}
