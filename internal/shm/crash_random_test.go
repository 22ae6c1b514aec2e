//go:build crashpoints

package shm

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// dice makes a scenario that nobody thought of: operations on few keys, so that
// they meet.
type dice struct {
	*rand.Rand
	w    world
	keys []string
}

func randomScenario(seed uint64) scenario {
	d := dice{rand.New(rand.NewPCG(seed, 1)), newWorld(), append(colliding(3, 12), "a", strings.Repeat("r", 300))}
	prepare, steps := d.steps(8), d.steps(12)
	return scenario{fmt.Sprintf("random %d", seed), prepared(prepare...), steps}
}

func (d *dice) steps(n int) (steps []step) {
	for len(steps) < n {
		st := d.step(d.keys[d.IntN(len(d.keys))])
		st.model(&d.w)
		steps = append(steps, st)
	}
	return steps
}

func (d *dice) cell() cell {
	switch d.IntN(6) {
	case 0:
		return integer(d.Int64N(9))
	case 1:
		return integer([]int64{narrowMax, narrowMin, narrowMax + 1, -wide, wide}[d.IntN(5)])
	}
	return bytesCell(text(byte(d.IntN(256)), []int{0, 1, 24, 25, 100, 300, 900}[d.IntN(7)]))
}

func (d *dice) life() uint64 { return uint64(d.IntN(3)) * lifetime / 2 }

// step is one on key that the model says the answer to.
func (d *dice) step(key string) step {
	was, there := d.w.get(key)
	// ok is the step where it can be done, else its refusal.
	ok := func(can bool, st step, otherwise error) step {
		if !can {
			st = st.refused(otherwise)
		}
		return st
	}
	counter := func(st step) step {
		if !there {
			return st.refused(ErrNotFound)
		}
		return ok(was.integer, st, ErrNotInteger)
	}
	switch d.IntN(16) {
	case 0:
		return counter(take(key))
	case 1:
		return counter(del(key))
	case 2:
		return ok(there, remove(key), ErrNotFound)
	case 3:
		return ok(there, expire(key, d.life()), ErrNotFound)
	case 4:
		return keep(key, d.cell())
	case 5:
		return putFor(key, d.cell(), d.life())
	case 6:
		return ok(!there, putIf(key, d.cell(), onAbsent), ErrCondition)
	case 7:
		if there {
			return putIf(key, d.cell(), onMatch(key))
		}
		return putIf(key, d.cell(), onPresent).refused(ErrCondition)
	case 8:
		if there {
			return expireIf(key, d.life(), onMatch(key))
		}
		return expireIf(key, d.life(), onStale).refused(ErrCondition)
	case 9:
		return setArgs(text(byte(d.IntN(256)), d.IntN(200)))
	case 10:
		return tick(lifetime / 2)
	case 11:
		return handsAt(0, 0)
	case 12:
		if there && was.integer {
			return comesRound(key)
		}
		return write(key, d.cell(), Put{})
	case 13, 14:
		by := d.Int64N(5) - 2
		if was.n > wide-100 || was.n < 100-wide { // not over the edge
			by = -was.n % 3
		}
		return ok(!there || was.integer, increment(key, by, 0, d.life()), ErrNotInteger)
	}
	return write(key, d.cell(), Put{})
}
