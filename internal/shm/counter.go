package shm

import "time"

// casTries is how often a change without the lock looks the key up again when
// somebody else's moved the generation on.
const casTries = 4

// Add adds by to the counter and returns the sum. A missing key is created at
// init first. It takes no lock when the key exists and both sums fit 44 bits.
// The compare-and-swap of the word is then the moment it happens, else a store
// under the lock.
//
// Errors: ErrKeyLength, ErrNotInteger, ErrOverflow, ErrFull.
func (s *Store) Add(key []byte, by, init int64) (int64, error) {
	if !validKey(key) {
		return 0, ErrKeyLength
	}
	var k target
	k.aim(key, s.seed)
	sh := s.shardOf(&k)
	var f found
	if s.addUnlocked(sh, &k, &f, by) {
		return valueOf(f.word), nil
	}
	n, _, err := s.add(sh, &k, by, init, 0)
	return n, err
}

// Increment is Add for a counter that may have a time to live: ttl counts when
// this call creates the key, 0 is for ever.
//
// Errors: ErrKeyLength, ErrNotInteger, ErrOverflow, ErrFull.
func (s *Store) Increment(key []byte, by, init int64, ttl time.Duration) (int64, Effect, error) {
	if !validKey(key) {
		return 0, Effect{}, ErrKeyLength
	}
	var k target
	k.aim(key, s.seed)
	sh := s.shardOf(&k)
	var f found
	if s.addUnlocked(sh, &k, &f, by) {
		return valueOf(f.word), Effect{Version: f.versionOf()}, nil
	}
	return s.add(sh, &k, by, init, ttl)
}

// addUnlocked leaves in f the counter as it made it. It is not ok when the lock
// is needed; nothing was done then.
//
// The key may expire between the look at the clock and the swap. The add then
// happened before that: the swap shows that nothing changed in between.
func (s *Store) addUnlocked(sh *shard, k *target, f *found, by int64) (ok bool) {
	if !fitsNarrow(by) {
		return false
	}
	for range casTries {
		if sh.find(k, f) != present || kindOf(f.word) != kindNarrow || f.expired(s.region) {
			return false
		}
		// While the word keeps its generation, the entry is still this key's: a
		// failed swap needs no new lookup.
		for first := f.word; sameLife(first, f.word); f.word = f.e.word.Load() {
			n := valueOf(f.word) + by
			gen, ok := nextGen(genOf(f.word), valueOf(f.word), n, f.version)
			if !ok || !fitsNarrow(n) {
				return false
			}
			if next := narrowWord(gen, n); cas(&f.e.word, f.word, next) {
				f.word = next
				s.touch(sh, f.off)
				return true
			}
		}
	}
	return false
}

func (s *Store) add(sh *shard, k *target, by, init int64, ttl time.Duration) (n int64, did Effect, err error) {
	r := room{k: k}
	for {
		n, did, err = s.addLocking(sh, k, by, init, ttl)
		if err != ErrFull || !s.makeRoom(sh, k.units(&payload{}), &r) {
			did.Evicted = r.evicted
			return n, did, err
		}
	}
}

func (s *Store) addLocking(sh *shard, k *target, by, init int64, ttl time.Duration) (n int64, did Effect, err error) {
	expiry := s.region.moment(ttl)
	if err := s.lock(sh); err != nil {
		return 0, did, err
	}
	defer s.unlock(sh)
	var f found
	for {
		at, err := s.lookLocked(sh, k, &f)
		if err != nil {
			return 0, did, err
		}
		if f.e == nil {
			if n, err = sum(init, by); err != nil {
				return 0, did, err
			}
			d, err := sh.insertLocked(k, &payload{integer: true, n: n, expiry: expiry}, at)
			if err != nil {
				return 0, did, err
			}
			s.touch(sh, d.off)
			return n, Effect{Created: true, Version: d.integerVersion(n)}, nil
		}
		if kindOf(f.word) == kindBytes {
			return 0, did, ErrNotInteger
		}
		if n, err = sum(f.integer(), by); err != nil {
			return 0, did, err
		}
		version, done, err := sh.changeLocked(k, n, at, &f)
		if err != nil {
			return 0, did, err
		}
		if done {
			s.touch(sh, f.off)
			return n, Effect{Version: version}, nil
		}
	}
}

func (d draft) integerVersion(n int64) Version {
	return Version{d.version, uint32(d.version&genMask) + 1, n}
}

// changeLocked changes the counter that was found to v, with its expiry. It is
// not done when somebody added to it since. One store makes the change; who
// reads a wide counter takes the lock.
//
//	narrow -> narrow  swap the word
//	narrow -> wide    store wide, which nobody reads yet; swap the word
//	wide   -> narrow  store the word; clear wide, which nobody reads any more
//	wide   -> wide    store wide, if it grows
//
// What is left takes another entry: a wide counter that does not grow, whose
// generation and value are in two words; and a generation that would come round.
// Errors: ErrFull, then.
func (sh *shard) changeLocked(k *target, v int64, at place, f *found) (version Version, done bool, err error) {
	wide, fits := kindOf(f.word) == kindWide, fitsNarrow(v)
	gen, ok := nextGen(genOf(f.word), f.integer(), v, f.version)
	if !ok || wide && !fits && v <= f.integer() {
		d, changed, err := sh.replaceLocked(k, &payload{integer: true, n: v, expiry: f.expiry & expiryMask}, at, f)
		f.off = d.off
		return d.integerVersion(v), !changed && err == nil, err
	}
	version = Version{f.version, uint32(gen) + 1, v}
	if wide || !fits {
		sh.numberLocked()
	}
	switch {
	case wide && fits:
		narrow(f.e, v, gen)
		return version, true, nil
	case wide:
		put(&f.e.wide, uint64(v))
		return version, true, nil
	case fits:
		return version, cas(&f.e.word, f.word, narrowWord(gen, v)), nil
	default:
		return version, widen(f.e, f.word, v, gen), nil
	}
}

// Get returns the counter's value. Errors: ErrKeyLength, ErrNotFound,
// ErrNotInteger.
func (s *Store) Get(key []byte) (int64, error) {
	if !validKey(key) {
		return 0, ErrKeyLength
	}
	var k target
	k.aim(key, s.seed)
	sh := s.shardOf(&k)
	var f found
	v := sh.find(&k, &f)
	if v == absent || v == present && f.expired(s.region) {
		return 0, ErrNotFound
	}
	if v == unsure || kindOf(f.word) == kindWide {
		if _, err := s.readLocking(sh, &k, &f, nil); err != nil {
			return 0, err
		}
	}
	if kindOf(f.word) == kindBytes {
		return 0, ErrNotInteger
	}
	s.touch(sh, f.off)
	return f.integer(), nil
}

// Set makes the key the counter v for ever and reports whether it created it.
// Errors: ErrKeyLength, ErrFull.
func (s *Store) Set(key []byte, v int64) (created bool, err error) {
	did, err := s.Put(key, Put{Value: IntegerValue(v)})
	return did.Created, err
}

// SetIfAbsent creates the counter at v, or leaves the key as it is.
// Errors: ErrKeyLength, ErrFull.
func (s *Store) SetIfAbsent(key []byte, v int64) (created bool, err error) {
	did, err := s.Put(key, Put{Value: IntegerValue(v), If: Condition{Absent: true}})
	if err == ErrCondition {
		return false, nil
	}
	return did.Created, err
}

// Take makes the counter 0 and returns the exact value it had: of any number
// of adds and takes, each add is in one previous value or in the rest. The time
// to live stays. Errors: ErrKeyLength, ErrNotFound, ErrNotInteger, ErrFull.
func (s *Store) Take(key []byte) (previous int64, err error) {
	if !validKey(key) {
		return 0, ErrKeyLength
	}
	var k target
	k.aim(key, s.seed)
	sh := s.shardOf(&k)
	var f found
	if previous, ok := s.swapUnlocked(sh, &k, &f, 0); ok {
		return previous, nil
	}
	r := room{k: &k}
	for {
		previous, err = s.takeLocking(sh, &k)
		if err != ErrFull || !s.makeRoom(sh, k.units(&payload{}), &r) {
			return previous, err
		}
	}
}

// swapUnlocked replaces a narrow value, leaves in f the counter as it made it,
// and returns the value before. It is not ok when the lock is needed.
func (s *Store) swapUnlocked(sh *shard, k *target, f *found, v int64) (previous int64, ok bool) {
	if !fitsNarrow(v) {
		return 0, false
	}
	for range casTries {
		if sh.find(k, f) != present || kindOf(f.word) != kindNarrow || f.expired(s.region) {
			return 0, false
		}
		gen, ok := nextGen(genOf(f.word), valueOf(f.word), v, f.version)
		if !ok {
			return 0, false
		}
		if next := narrowWord(gen, v); cas(&f.e.word, f.word, next) {
			previous, f.word = valueOf(f.word), next
			s.touch(sh, f.off)
			return previous, true
		}
	}
	return 0, false
}

func (s *Store) takeLocking(sh *shard, k *target) (previous int64, err error) {
	if err := s.lock(sh); err != nil {
		return 0, err
	}
	defer s.unlock(sh)
	var f found
	for {
		at, err := s.lookLocked(sh, k, &f)
		if err != nil {
			return 0, err
		}
		if f.e == nil {
			return 0, ErrNotFound
		}
		if kindOf(f.word) == kindBytes {
			return 0, ErrNotInteger
		}
		_, done, err := sh.changeLocked(k, 0, at, &f)
		if err != nil {
			return 0, err
		}
		if done {
			s.touch(sh, f.off)
			return f.integer(), nil
		}
	}
}

// Delete removes a counter and returns its last value.
// Errors: ErrKeyLength, ErrNotFound, ErrNotInteger.
func (s *Store) Delete(key []byte) (previous int64, err error) {
	if !validKey(key) {
		return 0, ErrKeyLength
	}
	var k target
	k.aim(key, s.seed)
	sh := s.shardOf(&k)
	if err := s.lock(sh); err != nil {
		return 0, err
	}
	defer s.unlock(sh)
	var f found
	for {
		at, err := s.lookLocked(sh, &k, &f)
		if err != nil {
			return 0, err
		}
		if f.e == nil {
			return 0, ErrNotFound
		}
		if kindOf(f.word) == kindBytes {
			return 0, ErrNotInteger
		}
		if sh.removeLocked(at, &f) {
			return f.integer(), nil
		}
	}
}
