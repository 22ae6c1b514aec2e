package loop

import (
	"math/rand/v2"
	"testing"
)

// TestWheel: against a plain list, connections expire at the first tick at or after their
// deadline, once, whatever was set, moved and removed meanwhile.
func TestWheel(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var w wheel
		conns := make([]*Conn, 40)
		due := map[*Conn]tick{}
		for i := range conns {
			conns[i] = new(Conn)
		}
		for range 300 {
			c := conns[rng.IntN(len(conns))]
			switch rng.IntN(4) {
			case 0, 1:
				deadline := w.now + tick(rng.IntN(2*wheelSlots))
				w.set(c, deadline)
				due[c] = max(deadline, w.now+1)
			case 2:
				w.remove(c)
				delete(due, c)
			default:
				from, to := w.now, w.now+tick(rng.IntN(3*wheelSlots))
				w.advance(to, func(c *Conn) {
					if at, is := due[c]; !is || w.now < at {
						t.Fatalf("from %d to %d expired at %d: due %v, at %d", from, to, w.now, is, at)
					}
					delete(due, c)
					if rng.IntN(2) == 0 { // it had something to say
						deadline := to + 1 + tick(rng.IntN(wheelSlots))
						w.set(c, deadline)
						due[c] = deadline
					}
				})
				for _, at := range due {
					if at <= w.now {
						t.Fatalf("at %d one of %d has not expired", w.now, at)
					}
				}
			}
		}
	}
}

// TestManyExpire: others have their turn before all of many connections have expired.
func TestManyExpire(t *testing.T) {
	t.Parallel()
	var w wheel
	const n = 3*expireMost + 1
	for range n {
		w.set(new(Conn), 10)
	}
	expired, rounds := 0, 1
	for !w.advance(20, func(*Conn) { expired++ }) {
		if rounds++; expired > rounds*expireMost {
			t.Fatalf("%d at once", expired)
		}
	}
	if expired != n || rounds != 4 || w.now != 20 {
		t.Errorf("%d of %d expired in %d rounds", expired, n, rounds)
	}
}
