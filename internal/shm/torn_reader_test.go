package shm

// slowReader copies a value out one extent at a time, as copyOut does at once.
type slowReader struct {
	sh    *shard
	k     target
	found found
	ref   uint64
	got   []byte
	lost  bool
}

// newSlowReader is one that has found the key, and copied nothing yet. It is
// nil where the key is absent, or changing.
func newSlowReader(s *Store, key []byte) *slowReader {
	r := &slowReader{}
	r.k.aim(key, s.seed)
	r.sh = s.shardOf(&r.k)
	if r.sh.find(&r.k, &r.found) != present || kindOf(r.found.word) != kindBytes {
		return nil
	}
	r.ref = bodyOf(r.found.word)
	return r
}

// step copies an extent. It is false at the end.
func (r *slowReader) step() (more bool) {
	left := int(r.found.length()) - len(r.got)
	if left == 0 || r.lost {
		return false
	}
	_, header, ok := r.sh.extentAt(r.ref)
	if !ok {
		r.lost = true
		return false
	}
	piece := make([]byte, min(left, int(extentUnits(header)*unitSize-8)))
	r.lost = !r.sh.copyOut(piece, r.ref)
	r.got, r.ref = append(r.got, piece...), header&refMask
	return !r.lost
}

// finish copies the rest. It is not ok when the reader knows that what it has
// is no value.
func (r *slowReader) finish() (value []byte, ok bool) {
	for r.step() {
	}
	return r.got, !r.lost && r.sh.still(&r.k, &r.found)
}
