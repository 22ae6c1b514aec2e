package shm

// briefBytes is the longest value that a brief store copies: some two microseconds.
const briefBytes = 16 << 10

// Brief returns the same store for somebody who has others waiting: its operations
// on one key take microseconds. Where one would have to wait for a lock, to copy a
// long value or to make room, it changes nothing and returns ErrBusy, ErrLong or
// ErrFull; the store itself does it then, and the brief one perhaps soon after
// ErrBusy. It is for reading and changing keys alone.
func (s *Store) Brief() *Store {
	b := *s
	b.brief = true
	return &b
}

// tryLock is lock without waiting. Errors: ErrBusy.
func (s *Store) tryLock(sh *shard, l *localLock) error {
	if !l.TryLock() {
		return ErrBusy
	}
	if !tryAcquire(&sh.header.lock, s.owner) {
		l.Unlock()
		return ErrBusy
	}
	l.took()
	return nil
}

func (s *Store) isLong(bytes uint64) bool { return s.brief && bytes > briefBytes }
