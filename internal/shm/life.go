package shm

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A process proves its life by a byte lock on its slot, held on an open file
// description that it opened itself (F_OFD_SETLK): the kernel drops it when
// the process is gone, however it went. An inherited description would share
// the lock with the parent and prove nothing; nor may a master's be on the one
// that its workers inherit, where it would outlive the master. Pids prove
// nothing either; they come again.
//
// The byte of a slot is the first of its record. Byte 0 of the file is the
// door: masters hold it while they change who has which slot.

const doorByte = 0

func (r *Region) lifeByte(slot int) int64 {
	return int64(r.sb.scoreboard) + int64(slot)*slotSize
}

func byteLock(f *os.File, cmd int, kind int16, at int64) (unix.Flock_t, error) {
	l := unix.Flock_t{Type: kind, Start: at, Len: 1}
	err := unix.FcntlFlock(f.Fd(), cmd, &l)
	return l, err
}

// hold takes the byte lock. It reports false when another process has it.
func hold(f *os.File, at int64) (bool, error) {
	_, err := byteLock(f, unix.F_OFD_SETLK, unix.F_WRLCK, at)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	return err == nil, err
}

func letGo(f *os.File, at int64) error {
	_, err := byteLock(f, unix.F_OFD_SETLK, unix.F_UNLCK, at)
	return err
}

// held reports whether another process has the byte lock.
func held(f *os.File, at int64) (bool, error) {
	l, err := byteLock(f, unix.F_OFD_GETLK, unix.F_WRLCK, at)
	return l.Type != unix.F_UNLCK, err
}

// doorPatience bounds the wait for another master to finish with the slots.
const doorPatience = 5 * time.Second

// enter takes the door. The holder's death opens it.
func enter(f *os.File) error {
	for deadline := time.Now().Add(doorPatience); ; time.Sleep(time.Millisecond) {
		ok, err := hold(f, doorByte)
		if err != nil {
			return fmt.Errorf("lock the region's slots: %w", err)
		}
		if ok {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: another master has kept the slots locked for %v; is it stopped?", ErrInUse, doorPatience)
		}
	}
}

// alive reports whether the process of a slot holds its byte lock. The caller
// is not that process.
func (r *Region) alive(f *os.File, slot int) (bool, error) {
	return held(f, r.lifeByte(slot))
}

// Alive reports whether the process of a slot, worker's or master's, lives. It
// writes nothing and may be asked through any handle, also by the process of the
// slot itself. A worker that has not attached yet has not proved its life. Of a
// region on the heap every process is this one.
func (r *Region) Alive(slot int) (bool, error) {
	if slot < 0 || slot >= r.slotCount() {
		return false, nil
	}
	if r.file == nil {
		return true, nil
	}
	r.onlook.Do(func() {
		// A description of its own: to the one that it is held on, a lock is no
		// obstacle, and so not there.
		r.onlooker, r.onlookErr = os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", r.file.Fd()), os.O_RDONLY, 0)
	})
	if r.onlookErr != nil {
		return false, r.onlookErr
	}
	return r.alive(r.onlooker, slot)
}

// masterAlive reports whether the master with this identity is still there.
func (s *Store) masterAlive(id ID) (bool, error) {
	if id == s.id {
		return true, nil
	}
	if id.Slot < int(s.region.sb.slots) || id.Slot >= s.region.slotCount() {
		return false, nil
	}
	gen, phase := unpackControl(s.region.slot(id.Slot).control.Load())
	if gen != id.Generation || phase != phaseLive {
		return false, nil
	}
	if id.Slot == s.id.Slot {
		return false, nil
	}
	return s.region.alive(s.life, id.Slot)
}
