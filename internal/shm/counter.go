package shm

// Add adds by to the counter and returns the sum. A missing key is created at
// init first. It takes no lock when the key exists and both sums fit 44 bits.
// Linearizable: the compare-and-swap of the word, or the one store or commit
// under the lock, is the moment it happens.
//
// Errors: ErrKeyLength, ErrOverflow, ErrFull.
func (s *Store) Add(key []byte, by, init int64) (int64, error) {
	if !validKey(key) {
		return 0, ErrKeyLength
	}
	var k target
	k.aim(key, s.seed)
	sh := s.shardOf(&k)
	e, w, v := sh.find(&k)
	// While the word keeps its kind and generation, the entry is still this
	// key's: a failed swap needs no new lookup.
	for first := w; v == present && kindOf(w) == kindNarrow && sameLife(first, w); w = e.word.Load() {
		n := valueOf(w) + by
		if !fitsNarrow(by) || !fitsNarrow(n) {
			break
		}
		if cas(&e.word, w, withValue(w, n)) {
			return n, nil
		}
	}
	return s.addSlow(sh, &k, by, init)
}

func validKey(key []byte) bool { return uint(len(key)-1) < MaxKey }

// sameLife: no change of kind or generation between two reads of a word.
func sameLife(a, b uint64) bool { return a>>valueBits == b>>valueBits }

func (s *Store) addSlow(sh *shard, k *target, by, init int64) (int64, error) {
	s.lock(sh)
	defer s.unlock(sh)
	p, err := sh.findLocked(k)
	if err != nil {
		return 0, err
	}
	if p.entry == 0 {
		n, err := sum(init, by)
		if err != nil {
			return 0, err
		}
		return n, sh.insertLocked(k, n)
	}
	e := sh.mem.entry(p.entry)
	for {
		w := e.word.Load()
		n, err := sum(e.valueLocked(w), by)
		if err != nil {
			return 0, err
		}
		if e.replaceLocked(w, n) {
			return n, nil
		}
	}
}

// valueLocked is the value behind a word that the lock holder loaded.
func (e *entry) valueLocked(w uint64) int64 {
	if kindOf(w) == kindWide {
		return int64(e.wide.Load())
	}
	return valueOf(w)
}

// replaceLocked changes the value from that of w to v by one store, which is
// the commit: no redo record is needed. It fails if somebody added to the
// narrow word in between.
//
//	narrow -> narrow  swap the word
//	narrow -> wide    write wide, which nobody reads yet; swap the word
//	wide   -> wide    store wide
//	wide   -> narrow  store the word
func (e *entry) replaceLocked(w uint64, v int64) bool {
	wide := kindOf(w) == kindWide
	switch {
	case wide && !fitsNarrow(v):
		put(&e.wide, uint64(v))
		return true
	case wide:
		put(&e.word, packWord(kindNarrow, genOf(w)+1, v))
		return true
	case fitsNarrow(v):
		return cas(&e.word, w, withValue(w, v))
	default:
		put(&e.wide, uint64(v))
		return cas(&e.word, w, packWord(kindWide, genOf(w)+1, 0))
	}
}

// Get returns the counter's value. Errors: ErrKeyLength, ErrNotFound.
func (s *Store) Get(key []byte) (int64, error) {
	if !validKey(key) {
		return 0, ErrKeyLength
	}
	var k target
	k.aim(key, s.seed)
	sh := s.shardOf(&k)
	switch e, w, v := sh.find(&k); {
	case v == absent:
		return 0, ErrNotFound
	case v == present && kindOf(w) == kindNarrow:
		return valueOf(w), nil
	case v == present && kindOf(w) == kindWide:
		// wide is stored only while the word is not wide, or by the lock
		// holder in one store: an unchanged word vouches for it.
		if n := e.wide.Load(); e.word.Load() == w {
			return int64(n), nil
		}
	}
	s.lock(sh)
	defer s.unlock(sh)
	p, err := sh.findLocked(&k)
	if err != nil {
		return 0, err
	}
	if p.entry == 0 {
		return 0, ErrNotFound
	}
	e := sh.mem.entry(p.entry)
	return e.valueLocked(e.word.Load()), nil
}

// Set makes the counter v and reports whether it created the key.
// Errors: ErrKeyLength, ErrFull.
func (s *Store) Set(key []byte, v int64) (created bool, err error) {
	created, _, err = s.exchange(key, v, true)
	return created, err
}

// SetIfAbsent creates the counter at v, or leaves it as it is.
// Errors: ErrKeyLength, ErrFull.
func (s *Store) SetIfAbsent(key []byte, v int64) (created bool, err error) {
	if !validKey(key) {
		return false, ErrKeyLength
	}
	var k target
	k.aim(key, s.seed)
	sh := s.shardOf(&k)
	s.lock(sh)
	defer s.unlock(sh)
	p, err := sh.findLocked(&k)
	if err != nil || p.entry != 0 {
		return false, err
	}
	err = sh.insertLocked(&k, v)
	return err == nil, err
}

// Take makes the counter 0 and returns the exact value it had: of any number
// of adds and takes, each add is in one previous value or in the rest.
// Errors: ErrKeyLength, ErrNotFound.
func (s *Store) Take(key []byte) (previous int64, err error) {
	_, previous, err = s.exchange(key, 0, false)
	return previous, err
}

// exchange replaces the value and returns the one before.
func (s *Store) exchange(key []byte, v int64, create bool) (created bool, previous int64, err error) {
	if !validKey(key) {
		return false, 0, ErrKeyLength
	}
	var k target
	k.aim(key, s.seed)
	sh := s.shardOf(&k)
	e, w, found := sh.find(&k)
	for first := w; found == present && kindOf(w) == kindNarrow && sameLife(first, w) && fitsNarrow(v); w = e.word.Load() {
		if cas(&e.word, w, withValue(w, v)) {
			return false, valueOf(w), nil
		}
	}
	s.lock(sh)
	defer s.unlock(sh)
	p, err := sh.findLocked(&k)
	if err != nil {
		return false, 0, err
	}
	if p.entry == 0 {
		if !create {
			return false, 0, ErrNotFound
		}
		err := sh.insertLocked(&k, v)
		return err == nil, 0, err
	}
	e = sh.mem.entry(p.entry)
	for {
		w := e.word.Load()
		previous = e.valueLocked(w)
		if e.replaceLocked(w, v) {
			return false, previous, nil
		}
	}
}

// Delete removes the key and returns its last value.
// Errors: ErrKeyLength, ErrNotFound.
func (s *Store) Delete(key []byte) (previous int64, err error) {
	if !validKey(key) {
		return 0, ErrKeyLength
	}
	var k target
	k.aim(key, s.seed)
	sh := s.shardOf(&k)
	s.lock(sh)
	defer s.unlock(sh)
	p, err := sh.findLocked(&k)
	if err != nil {
		return 0, err
	}
	if p.entry == 0 {
		return 0, ErrNotFound
	}
	return sh.deleteLocked(p)
}
