package plainhttp

// memory is how many headers are remembered, memoBytes how long each may be.
const (
	memory    = 64
	memoBytes = 1 << 10
)

// memo is a header that was found plain. Its block ends with the first empty line,
// so that an input that begins with it has this header, and ends it there, too.
type memo struct {
	block []byte
	close bool
	// last is the hash of the header that was last refused the place: one that comes once
	// does not drive out one that comes always.
	last uint32
}

// remember keeps a header where its content says, in the place of another, and
// leaves the place in hint.
func (s *Scanner) remember(block []byte, closes bool, hint *Hint) {
	if len(block) > memoBytes {
		return
	}
	h := uint32(2166136261) // FNV-1a
	for _, c := range block {
		h = (h ^ uint32(c)) * 16777619
	}
	*hint = Hint((h ^ h>>16) % memory)
	m := &s.seen[*hint]
	if m.last != h && len(m.block) > 0 {
		m.last = h
		return
	}
	m.block, m.close = append(m.block[:0], block...), closes
}
