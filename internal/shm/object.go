package shm

import "time"

// Read returns what the key holds, and appends bytes to dst. It takes no lock
// but for an integer beyond 44 bits, and allocates nothing where dst has room.
// Errors: ErrKeyLength, ErrNotFound.
func (s *Store) Read(dst, key []byte) (Item, error) {
	if !validKey(key) {
		return Item{}, ErrKeyLength
	}
	return s.read(dst, key)
}

// copyTries is how often a value is copied out that changes meanwhile, before
// it is copied under the lock.
const copyTries = 8

func (s *Store) read(dst, key []byte) (Item, error) {
	var k target
	k.aim(key, s.seed)
	sh := s.shardOf(&k)
	most := s.region.sb.units * unitSize // no length beyond it is true
	var f found
	for range copyTries {
		v := sh.find(&k, &f)
		if v == absent || v == present && f.expired(s.region) {
			return Item{}, ErrNotFound
		}
		if v == unsure || kindOf(f.word) == kindWide || f.length() > most {
			break
		}
		if kindOf(f.word) == kindNarrow {
			if f.e.expiry.Load() != f.expiry {
				continue // the value is of one moment, the time to live of another
			}
			s.touch(sh, f.off)
			return s.item(&f, nil), nil
		}
		if s.isLong(f.length()) {
			return Item{}, ErrLong
		}
		out := grow(dst, f.length())
		if sh.copyOut(out[len(dst):], bodyOf(f.word)) && sh.still(&k, &f) {
			s.touch(sh, f.off)
			return s.item(&f, out), nil
		}
		dst = out[:len(dst)]
	}
	for {
		out := dst
		if n := f.length(); n <= most {
			if s.isLong(n) {
				return Item{}, ErrLong
			}
			out = grow(dst, n) // before the lock: nothing is allocated under it
		}
		whole, err := s.readLocking(sh, &k, &f, out[len(dst):])
		if err != nil {
			return Item{}, err
		}
		if whole {
			s.touch(sh, f.off)
			return s.item(&f, out[:uint64(len(dst))+f.length()]), nil
		}
	}
}

// item is what was found. out is the caller's buffer with the bytes appended.
func (s *Store) item(f *found, out []byte) Item {
	it := Item{Version: f.versionOf(), TTL: f.left(s.region)}
	if kindOf(f.word) == kindBytes {
		it.Bytes = out
	} else {
		it.Integer, it.Int = true, f.integer()
	}
	return it
}

// grow is dst with n more bytes of any content.
func grow(dst []byte, n uint64) []byte {
	if uint64(cap(dst)-len(dst)) >= n {
		return dst[:uint64(len(dst))+n]
	}
	out := make([]byte, uint64(len(dst))+n)
	copy(out, dst)
	return out
}

// readLocking finds the key, and copies its bytes to out. It is not whole when
// they are more than out has room for. Errors: ErrNotFound, ErrCorrupt.
func (s *Store) readLocking(sh *shard, k *target, f *found, out []byte) (whole bool, err error) {
	if err := s.lock(sh); err != nil {
		return false, err
	}
	defer s.unlock(sh)
	if _, err := s.lookLocked(sh, k, f); err != nil {
		return false, err
	}
	if f.e == nil {
		return false, ErrNotFound
	}
	n := f.length()
	if n > sh.unitsN*unitSize {
		return false, errChain
	}
	if n > uint64(len(out)) {
		return false, nil
	}
	if !sh.copyOut(out[:n], bodyOf(f.word)) {
		return false, errChain
	}
	return true, nil
}

// Put writes a value, if the condition holds, over whatever the key held.
// Errors: ErrKeyLength, ErrCondition, ErrValueTooLarge, ErrFull.
func (s *Store) Put(key []byte, p Put) (Effect, error) {
	if !validKey(key) {
		return Effect{}, ErrKeyLength
	}
	if err := s.checkSize(p.Value); err != nil {
		return Effect{}, err
	}
	return s.put(key, &p)
}

func (s *Store) put(key []byte, p *Put) (Effect, error) {
	var k target
	k.aim(key, s.seed)
	sh := s.shardOf(&k)
	// Without the lock a counter keeps its expiry, whoever changes that meanwhile.
	if p.Value.Integer && p.KeepTTL && p.If.always() {
		var f found
		if _, ok := s.swapUnlocked(sh, &k, &f, p.Value.Int); ok {
			return Effect{Version: f.versionOf()}, nil
		}
	}
	var load payload
	load.make(&p.Value)
	r := room{k: &k}
	for {
		did, err := s.putLocking(sh, &k, p, &load)
		if err != ErrFull || !s.makeRoom(sh, k.units(&load), &r) {
			did.Evicted = r.evicted
			return did, err
		}
	}
}

// longValue is what takes a microsecond to fill, in bytes.
const longValue = 4096

func (s *Store) putLocking(sh *shard, k *target, p *Put, load *payload) (did Effect, err error) {
	fresh := s.region.moment(p.TTL)
	if err := s.lock(sh); err != nil {
		return did, err
	}
	if len(load.bytes) >= longValue {
		s.timeHold(sh)
	}
	defer s.unlock(sh)
	var f found
	for {
		load.expiry = fresh
		at, err := s.lookLocked(sh, k, &f)
		if err != nil {
			return did, err
		}
		if f.e == nil {
			if !p.If.holds(Version{}) {
				return did, ErrCondition
			}
			d, err := sh.insertLocked(k, load, at)
			if err != nil {
				return did, err
			}
			s.touch(sh, d.off)
			return Effect{Created: true, Version: d.versionFor(load)}, nil
		}
		if !p.If.holds(f.versionOf()) {
			return did, ErrCondition
		}
		if p.KeepTTL {
			load.expiry = f.expiry & expiryMask
		}
		if load.integer && load.expiry == f.expiry&expiryMask && kindOf(f.word) != kindBytes {
			version, done, err := sh.changeLocked(k, load.n, at, &f) // most need no room
			if err != nil {
				return did, err
			}
			if done {
				s.touch(sh, f.off)
				return Effect{Version: version}, nil
			}
			continue
		}
		d, changed, err := sh.replaceLocked(k, load, at, &f)
		if err != nil {
			return did, err
		}
		if !changed {
			s.touch(sh, d.off)
			return Effect{Version: d.versionFor(load)}, nil
		}
	}
}

func (d draft) versionFor(p *payload) Version {
	if p.integer {
		return d.integerVersion(p.n)
	}
	return Version{Entry: d.version}
}

// Remove removes the key, if the condition holds, whatever it holds.
// Errors: ErrKeyLength, ErrCondition; ErrNotFound where a key that is absent
// meets the condition.
func (s *Store) Remove(key []byte, c Condition) error {
	if !validKey(key) {
		return ErrKeyLength
	}
	var k target
	k.aim(key, s.seed)
	sh := s.shardOf(&k)
	if err := s.lock(sh); err != nil {
		return err
	}
	defer s.unlock(sh)
	var f found
	for {
		at, err := s.lookIfLocked(sh, &k, &f, &c)
		if err != nil {
			return err
		}
		if sh.removeLocked(at, &f) {
			return nil
		}
	}
}

// lookIfLocked finds a key that is there and meets the condition.
// Errors: ErrNotFound, ErrCondition, ErrCorrupt.
func (s *Store) lookIfLocked(sh *shard, k *target, f *found, c *Condition) (at place, err error) {
	if at, err = s.lookLocked(sh, k, f); err != nil {
		return at, err
	}
	var version Version
	if f.e != nil {
		version = f.versionOf()
	}
	switch {
	case !c.holds(version):
		return at, ErrCondition
	case f.e == nil:
		return at, ErrNotFound
	}
	return at, nil
}

// SetTTL gives the key another time to live from now, 0 for ever, if the
// condition holds. The value and its version stay. The Item that it returns has
// no bytes. Errors: ErrKeyLength, ErrNotFound, ErrCondition.
func (s *Store) SetTTL(key []byte, ttl time.Duration, c Condition) (Item, error) {
	if !validKey(key) {
		return Item{}, ErrKeyLength
	}
	var k target
	k.aim(key, s.seed)
	sh := s.shardOf(&k)
	expiry := s.region.moment(ttl)
	if err := s.lock(sh); err != nil {
		return Item{}, err
	}
	defer s.unlock(sh)
	var f found
	for {
		_, err := s.lookIfLocked(sh, &k, &f, &c)
		if err != nil {
			return Item{}, err
		}
		sh.numberLocked() // first: who looks at the entry meanwhile finds out
		// Nobody may add between the look at the version and the store.
		if kindOf(f.word) == kindNarrow && !freeze(f.e, f.word) {
			continue
		}
		was := f.expires()
		f.expiry = packExpiry(expiry, f.version)
		put(&f.e.expiry, f.expiry)
		if kindOf(f.word) == kindNarrow {
			narrow(f.e, valueOf(f.word), genOf(f.word))
		}
		if is := f.expires(); was != is {
			sh.countExpiringLocked(is)
		}
		s.touch(sh, f.off)
		return s.item(&f, nil), nil
	}
}
