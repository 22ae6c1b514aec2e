//go:build crashpoints

package shm

import (
	"strings"
	"testing"
)

// The mistakes that are easily made here, made on purpose: the same
// enumeration must catch each, or it proves nothing.
var mistakes = []struct {
	name string
	variant
	want string // in what is found, "" for nothing to be found
	dies bool   // who recovers dies, too, near the end of it
}{
	{"none", variant{}, "", false},
	{"none, with a recovery of its own", variant{recover: rebuilt(rightly)}, "", false},
	// A margin: nobody else takes units before the lock is free.
	{"value given back before its entry is killed", variant{freeEarly: true}, "", false},
	{"linked before it is filled", variant{linkFirst: true}, "is not where its hash leads", false},
	{"number given out after the entry is linked", variant{lateVersion: true}, "was never given", false},
	{"old value given back before the new one is taken", variant{freeFirst: true}, "does not match its checksum", false},
	{"old entry killed before the new one is linked", variant{killFirst: true}, "neither the state before nor after", false},
	{"old counter not frozen", variant{noFreeze: true}, "and is lost", false},
	{"old entry not killed", variant{noKill: true}, "were added to", false},
	{"seq not moved on", variant{noSeq: true}, "a walk to", false},
	{"seq not moved on, beside a reader", variant{noSeq: true}, "a reader of", false},
	{"lock freed without a rebuild", variant{recover: rebuilt(func(*shard) error { return nil })}, "are leaked", false},
	{"none, and two deaths", variant{recover: rebuilt(rightly)}, "", true},
	{"rebuild that kills before it moves seq on", variant{recover: rebuilt(killingFirst)}, "a reader of", true},
	{"rebuild that leaves words alive", variant{recover: rebuilt(keepingWords)}, "begins as a counter does", false},
	{"rebuild that does not move seq on", variant{recover: rebuilt(keepingSeq)}, "a walk to", false},
	{"rebuild that does not move seq on, beside a reader", variant{recover: rebuilt(keepingSeq)}, "a reader of", false},
}

// scenarios are the places where the mistakes show.
func (v variant) scenarios() []scenario {
	c := colliding(3, 12)
	a, b := bytesCell(text('a', 100)), bytesCell(text('b', 100))
	bytes := prepared(putBytes(c[0], a.bytes), putBytes(c[1], b.bytes), putBytes(c[2], a.bytes))
	return []scenario{
		{"insert", nil, []step{v.write("a", a), v.write("b", integer(1))}},
		{"replace", bytes, []step{v.write(c[1], a), v.write(c[1], b), v.write(c[2], a)}},
		{"replace a counter", prepared(set("a", 5), set("b", 6)), []step{v.write("a", a), v.write("b", b)}},
		{"remove a counter", prepared(set("a", 5)), []step{v.drop("a"), v.write("b", integer(1))}},
		{"remove", bytes, []step{v.drop(c[2]), v.write("new", b)}},
		{"recycle", bytes, []step{v.drop(c[1]), v.write(c[1], a), v.drop(c[2]), v.write(c[2], b)}},
	}
}

func TestSeededMistakesAreCaught(t *testing.T) {
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			trials, caught, asWanted := 0, 0, 0
			for _, sc := range m.scenarios() {
				st := newStage(t, sc)
				for n := 1; n <= st.stores && !(testing.Short() && asWanted > 0); n++ {
					try := func(recovery ...int) (recovered int) {
						trials++
						recovered, err := st.run(trial{n: n, recover: m.recover, recovery: recovery})
						if err == nil {
							return recovered
						}
						caught++
						if m.want == "" || !strings.Contains(err.Error(), m.want) {
							return recovered
						}
						if asWanted++; asWanted == 1 {
							t.Logf("%s, killed at store %d, recoverers at %v: %.300v", sc.name, n, recovery, err)
						}
						return recovered
					}
					last := try()
					for back := 0; m.dies && back < min(last, 24); back++ {
						if m.want != "" || (n+back)%8 == 0 {
							try(last - back)
						}
					}
				}
			}
			t.Logf("caught in %d of %d trials", caught, trials)
			if (m.want != "") != (caught > 0) || (m.want != "") != (asWanted > 0) {
				t.Errorf("%d times with %q", asWanted, m.want)
			}
		})
	}
}
