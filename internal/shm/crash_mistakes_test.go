//go:build crashpoints

package shm

import "testing"

// The mistakes that are easily made here, made on purpose: the same
// enumeration must catch each, or it proves nothing.

// mistake makes a structural change in a wrong way.
type mistake struct {
	name   string
	commit func(*shard, *redo)
}

var mistakes = []mistake{
	{"no intent", func(sh *shard, t *redo) {
		put(&sh.header.seq, sh.header.seq.Load()+1)
		storePairs(sh, t, 0, t.n)
		put(&sh.header.seq, sh.header.seq.Load()+1)
	}},
	{"free outside the intent", func(sh *shard, t *redo) {
		inside := redo{n: 2, pairs: t.pairs} // a delete kills and unlinks, then frees
		sh.commitLocked(&inside)
		storePairs(sh, t, 2, t.n)
	}},
	{"intent not cleared", func(sh *shard, t *redo) {
		h := sh.header
		for i := range t.n {
			put(&h.pairs[i].offset, t.pairs[i].offset)
			put(&h.pairs[i].value, t.pairs[i].value)
		}
		put(&h.state, uint64(t.n)<<32|uint64(sh.pairsCRC(t.n)))
		put(&h.seq, h.seq.Load()+1)
		storePairs(sh, t, 0, t.n)
		put(&h.seq, h.seq.Load()+1)
	}},
	{"committed before it is written", func(sh *shard, t *redo) {
		h := sh.header
		crc := redoCRC(t)
		put(&h.state, uint64(t.n)<<32|uint64(crc))
		for i := range t.n {
			put(&h.pairs[i].offset, t.pairs[i].offset)
			put(&h.pairs[i].value, t.pairs[i].value)
		}
		sh.applyLocked(t.n)
	}},
	{"linked before the commit", func(sh *shard, t *redo) {
		for i := range t.n {
			if t.pairs[i].offset >= sh.items && t.pairs[i].offset&killFlag == 0 {
				put(sh.mem.word(t.pairs[i].offset), t.pairs[i].value)
			}
		}
		sh.commitLocked(t)
	}},
}

func storePairs(sh *shard, t *redo, from, to int) {
	for i := from; i < to; i++ {
		off, v := t.pairs[i].offset, t.pairs[i].value
		if off&killFlag != 0 {
			word := sh.mem.word(off &^ killFlag)
			put(word, killed(word.Load()))
			continue
		}
		put(sh.mem.word(off), v)
	}
}

// redoCRC is the checksum that the record will have.
func redoCRC(t *redo) uint32 {
	var scratch shardHeader
	for i := range t.n {
		scratch.pairs[i].offset.Store(t.pairs[i].offset)
		scratch.pairs[i].value.Store(t.pairs[i].value)
	}
	return (&shard{header: &scratch}).pairsCRC(t.n)
}

func (m mistake) set(key string, v int64) step {
	st := set(key, v)
	st.do = func(s *Store) error { return m.structural(s, key, v, true) }
	return st
}

func (m mistake) del(key string) step {
	st := del(key)
	st.do = func(s *Store) error { return m.structural(s, key, 0, false) }
	return st
}

// structural is insertLocked or deleteLocked with the wrong commit.
func (m mistake) structural(s *Store, key string, v int64, insert bool) error {
	var k target
	k.aim([]byte(key), s.seed)
	sh := s.shardOf(&k)
	s.lock(sh)
	defer s.unlock(sh)
	p, err := sh.findLocked(&k)
	if err != nil {
		return err
	}
	var t redo
	if insert {
		if err := sh.planInsertLocked(&t, &k, v); err != nil {
			return err
		}
	} else {
		if err := sh.planDeleteLocked(&t, p); err != nil {
			return err
		}
	}
	m.commit(sh, &t)
	return nil
}

func TestSeededMistakesAreCaught(t *testing.T) {
	c := colliding(3, 12)
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			caught := 0
			for _, sc := range []scenario{
				{"insert", nil, []step{m.set("a", 1), m.set("b", 2)}},
				{"recycle", []step{set("a", 1), set("b", 2), del("a"), del("b")}, []step{m.set("c", 1), m.set("d", 2)}},
				{"delete", []step{set(c[0], 1), set(c[1], 2), set(c[2], 3)}, []step{m.del(c[1]), m.del(c[2])}},
			} {
				enumerate(t, sc, func(tr trial, err error) {
					if tr.n == 0 {
						return // a run without a death may find it, too; the deaths must
					}
					if caught++; caught == 1 {
						t.Logf("caught: %s, killed at store %d, recoverers at %v: %v", sc.name, tr.n, tr.recovery, err)
					}
				})
			}
			if caught == 0 {
				t.Errorf("not caught")
			}
		})
	}
}
