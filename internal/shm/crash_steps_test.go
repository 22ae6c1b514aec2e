//go:build crashpoints

package shm

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// step is one operation with what it means.
type step struct {
	name  string
	do    func(*Store) error
	model func(*world)
	fails error // the answer; nothing has changed then
	// bulk steps remove keys each on its own: while one is under way, any of
	// those that it removes may be gone.
	bulk bool
	// least stores are in it, or it is not what its scenario is about.
	least int
}

func (st step) run(s *Store) error {
	if err := st.do(s); !errors.Is(err, st.fails) {
		return fmt.Errorf("%s: %v, want %v", st.name, err, st.fails)
	}
	return nil
}

// refused is the step when it must not do anything but answer with err.
func (st step) refused(err error) step {
	st.name, st.model, st.fails = st.name+", refused", func(*world) {}, err
	return st
}

func ms(n uint64) time.Duration { return time.Duration(n) * time.Millisecond }

// write is a Put with any value.
func write(key string, c cell, p Put) step {
	p.Value = IntegerValue(c.n)
	if !c.integer {
		p.Value = BytesValue([]byte(c.bytes))
	}
	return step{
		name: fmt.Sprintf("put %.8q %v", key, c),
		do:   func(s *Store) error { _, err := s.Put([]byte(key), p); return err },
		model: func(w *world) {
			was, there := w.get(key)
			c.expiry = w.moment(uint64(p.TTL.Milliseconds()))
			if p.KeepTTL && there {
				c.expiry = was.expiry
			}
			w.keys[key] = c
		},
	}
}

func putBytes(key, bytes string) step             { return write(key, cell{bytes: bytes}, Put{}) }
func set(key string, n int64) step                { return write(key, cell{integer: true, n: n}, Put{}) }
func keep(key string, c cell) step                { return write(key, c, Put{KeepTTL: true}) }
func integer(n int64) cell                        { return cell{integer: true, n: n} }
func bytesCell(s string) cell                     { return cell{bytes: s} }
func putFor(key string, c cell, life uint64) step { return write(key, c, Put{TTL: ms(life)}) }

// putIf is a Put under a condition that is made when it is done.
func putIf(key string, c cell, cond func(*Store) Condition) step {
	st := write(key, c, Put{})
	st.name += " if"
	st.do = func(s *Store) error {
		p := Put{Value: IntegerValue(c.n), If: cond(s)}
		if !c.integer {
			p.Value = BytesValue([]byte(c.bytes))
		}
		_, err := s.Put([]byte(key), p)
		return err
	}
	return st
}

// onMatch is the condition that key has the version which it has.
func onMatch(key string) func(*Store) Condition {
	return func(s *Store) Condition {
		it, err := s.Read(nil, []byte(key))
		if err != nil {
			panic(err)
		}
		return Condition{Match: []Version{it.Version}}
	}
}

// onStale is one that no key meets.
func onStale(*Store) Condition   { return Condition{Match: []Version{{Entry: 1}}} }
func onAbsent(*Store) Condition  { return Condition{Absent: true} }
func onPresent(*Store) Condition { return Condition{Present: true} }

func addTo(key string, by int64) step { return increment(key, by, 0, 0) }

func increment(key string, by, init int64, life uint64) step {
	return step{
		name: fmt.Sprintf("add %.8q %+d", key, by),
		do: func(s *Store) error {
			_, _, err := s.Increment([]byte(key), by, init, ms(life))
			return err
		},
		model: func(w *world) {
			c, there := w.get(key)
			if !there {
				c = cell{integer: true, n: init, expiry: w.moment(life)}
			}
			c.n += by
			w.keys[key] = c
		},
	}
}

func take(key string) step {
	return step{
		name:  fmt.Sprintf("take %.8q", key),
		do:    func(s *Store) error { _, err := s.Take([]byte(key)); return err },
		model: func(w *world) { c := w.keys[key]; c.n = 0; w.keys[key] = c },
	}
}

func del(key string) step {
	return step{
		name:  fmt.Sprintf("delete %.8q", key),
		do:    func(s *Store) error { _, err := s.Delete([]byte(key)); return err },
		model: func(w *world) { delete(w.keys, key) },
	}
}

func remove(key string) step { return removeIf(key, func(*Store) Condition { return Condition{} }) }

func removeIf(key string, cond func(*Store) Condition) step {
	return step{
		name:  fmt.Sprintf("remove %.8q", key),
		do:    func(s *Store) error { return s.Remove([]byte(key), cond(s)) },
		model: func(w *world) { delete(w.keys, key) },
	}
}

func expire(key string, life uint64) step {
	return expireIf(key, life, func(*Store) Condition { return Condition{} })
}

func expireIf(key string, life uint64, cond func(*Store) Condition) step {
	return step{
		name: fmt.Sprintf("life of %.8q %d ms", key, life),
		do: func(s *Store) error {
			_, err := s.SetTTL([]byte(key), ms(life), cond(s))
			return err
		},
		model: func(w *world) { c := w.keys[key]; c.expiry = w.moment(life); w.keys[key] = c },
	}
}

func setArgs(bytes string) step {
	return step{
		name:  fmt.Sprintf("arguments of %d bytes", len(bytes)),
		do:    func(s *Store) error { _, err := s.SetArgs([]byte(bytes)); return err },
		model: func(w *world) { w.keys[""] = cell{bytes: bytes} },
	}
}

func removePrefix(prefix string) step {
	return step{
		name: "remove all of " + prefix,
		do:   func(s *Store) error { _, err := s.RemovePrefix([]byte(prefix)); return err },
		model: func(w *world) {
			for key := range w.keys {
				if key != "" && strings.HasPrefix(key, prefix) {
					delete(w.keys, key)
				}
			}
		},
		bulk: true,
	}
}

// tick lets time go by.
func tick(by uint64) step {
	return step{
		name:  fmt.Sprintf("%d ms later", by),
		do:    func(*Store) error { crashClock += by; return nil },
		model: func(w *world) { w.clock += by },
	}
}

// sweep reclaims what has expired, which nobody sees.
func sweep() step {
	return step{
		name: "sweep",
		do: func(s *Store) error {
			if s.SweepExpired(time.Hour) == 0 {
				return errors.New("nothing was reclaimed")
			}
			return nil
		},
		model: func(*world) {},
	}
}

// locked reads a key under the lock, as a reader does who is not sure.
func locked(key string) step {
	return step{
		name: fmt.Sprintf("read %.8q locked", key),
		do: func(s *Store) error {
			var k target
			k.aim([]byte(key), s.seed)
			_, err := s.readLocking(s.shardOf(&k), &k, &found{}, nil)
			return err
		},
		model: func(*world) {},
	}
}

// letting is the step under a policy that lets keys go; which, is the clock's
// business.
func letting(st step) step {
	do := st.do
	st.name += ", evicting"
	st.do = func(s *Store) error {
		s.SetPolicy(Policy{Evict: true})
		return do(s)
	}
	st.bulk = true
	return st
}

// halfway is a step that is refused when it has taken memory.
func halfway(st step) step {
	st = st.refused(ErrFull)
	st.least = 100
	return st
}

// pieces makes sure that a value is in at least so many extents.
func pieces(key string, least int) step {
	return step{
		name: fmt.Sprintf("pieces of %.8q", key),
		do: func(s *Store) error {
			var k target
			var f found
			k.aim([]byte(key), s.seed)
			sh := s.shardOf(&k)
			if sh.find(&k, &f) != present {
				return errors.New("not found")
			}
			n := 0
			for ref := bodyOf(f.word); ref != 0; n++ {
				_, header, _ := sh.extentAt(ref)
				ref = header & refMask
			}
			if n < least {
				return fmt.Errorf("%d extents, at least %d are wanted", n, least)
			}
			return nil
		},
		model: func(*world) {},
	}
}

// handsAt says where the search for free memory begins: for lines, as a share of
// all counted from the end; for runs, from the beginning. They are hints: any
// value is one that they may have.
func handsAt(line, unit float64) step {
	return step{
		name: "hands",
		do: func(s *Store) error {
			for i := range s.region.shards {
				sh := &s.region.shards[i]
				words := float64(len(sh.bitmap))
				sh.hands.line = uint64(line * words)
				sh.hands.unit = uint64(unit * words)
			}
			return nil
		},
		model: func(*world) {},
	}
}

// comesRound moves a counter's generation to the last before its first.
func comesRound(key string) step {
	return step{
		name: fmt.Sprintf("last generation of %.8q", key),
		do: func(s *Store) error {
			var k target
			var f found
			k.aim([]byte(key), s.seed)
			if s.shardOf(&k).find(&k, &f) != present {
				return errors.New("not found")
			}
			word := wideWord(f.version - 1)
			if kindOf(f.word) == kindNarrow {
				word = narrowWord(f.version-1, valueOf(f.word))
			}
			f.e.word.Store(word)
			return nil
		},
		model: func(*world) {},
	}
}
