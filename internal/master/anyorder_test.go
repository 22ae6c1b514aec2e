package master

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// wrong is what is not as it should be in a server that rests.
func (a *troupe) wrong() (all []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.crew
	bad := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for _, s := range c.seats {
		if s.worker == nil || s.worker.phase != serving || s.next != nil || s.avoided || s.waits {
			bad("seat %d: %+v", s.number, s)
		}
	}
	if len(c.retired) > 0 || c.replacement != nil || c.quiet || c.heir != nil || c.stage != running {
		bad("retired %v, replacement %v, quiet %v, heir %v, stage %v", c.retired, c.replacement, c.quiet, c.heir, c.stage)
	}
	taken := 0
	for _, is := range a.taken {
		if is {
			taken++
		}
	}
	if n := len(c.seats); len(c.workers) != n || len(a.actors) != n || taken != n {
		bad("%d seats, %d workers, %d processes, %d slots", n, len(c.workers), len(a.actors), taken)
	}
	want := fmt.Sprint("steer ", slices.Repeat([]bool{true}, len(c.seats)))
	for _, line := range slices.Backward(a.script) {
		if strings.HasPrefix(line, "steer") {
			if line != want {
				bad("%s, want %s", line, want)
			}
			break
		}
	}
	return all
}

// TestAnyOrder: whatever happens in whatever order, a server that is left alone then
// has a worker in each seat that serves, and nothing is left over.
func TestAnyOrder(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 50
	}
	for seed := range uint64(rounds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			chance := rand.New(rand.NewPCG(seed, 4))
			perform(t, 1+chance.IntN(3), func(f *theatre) {
				a := &troupe{theatre: f, chance: chance, actors: map[int]actor{}}
				f.slots = 3 + chance.IntN(6)
				f.crew.most = f.slots
				f.settings.MaxRequests = uint64(chance.IntN(2)) * 900
				f.start()
				a.look()
				for pid := 101; pid <= f.last(); pid++ {
					a.becomesReady(pid)
				}
				for range 120 {
					a.act()
				}
				a.calm()
				if wrong := a.wrong(); len(wrong) > 0 {
					t.Errorf("%s\nwhat happened:\n  %s", strings.Join(wrong, "\n"), strings.Join(a.deeds, "\n  "))
				}
				a.close()
			})
		})
	}
}
