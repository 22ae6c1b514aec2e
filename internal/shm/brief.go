package shm

// briefBytes is the longest value that a brief store copies: some two microseconds.
const briefBytes = 16 << 10

// Brief returns the same store for somebody who has others waiting: its operations
// on one key take microseconds. Where one would have to wait for a lock, to make
// room or to copy a long value, it changes nothing and returns ErrBusy, or ErrFull;
// the store itself does it then. It is for reading and changing keys alone.
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
