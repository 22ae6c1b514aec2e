//go:build crashpoints

package shm

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
)

type died struct{}

// killAt makes the n-th store from now, counted from 1, the one that the
// process does not live to do, nor any later one. n = 0 only counts.
func killAt(n int, do func()) (stores int, dead bool) {
	crashHook = func() {
		if stores++; n > 0 && stores >= n {
			panic(died{})
		}
	}
	defer func() {
		crashHook = nil
		if p := recover(); p != nil {
			if _, ok := p.(died); !ok {
				panic(p)
			}
			dead = true
		}
	}()
	do()
	return stores, false
}

// trial kills the victim of a scenario at store n, and whoever recovers it at
// stores of the recoveries, and says what is wrong in the end.
type trial struct {
	n        int
	recovery []int // store at which the first, second, ... recoverer dies

	recover func(*Store, ID) error // nil: Recover
}

// outcome is a trial under way.
type outcome struct {
	trial
	*stage
	done      int // steps acknowledged
	onlookers []*onlooker
	past      bygones
	seen      map[string]cell // of the watched keys, before anybody recovered
	gone      map[string]bool // likewise
	added     map[string]int64
	versions  ledger
	recovered int // stores of the last recovery
}

func (st *stage) run(tr trial) (recovered int, err error) {
	o := outcome{trial: tr, stage: st, past: newBygones(), versions: ledger{}}
	return o.recovered, o.play()
}

func (o *outcome) play() error {
	master, victim, other := o.reset()
	shown, err := look(other, &o.arena)
	if err != nil {
		return err
	}
	if err := o.versions.noteAll(shown); err != nil {
		return err
	}
	for _, key := range o.watch {
		o.onlookers = append(o.onlookers, newOnlooker(other, key))
	}
	if err := o.die(victim); err != nil {
		return err
	}
	for i := range min(o.done+2, len(o.sc.steps)+1) {
		o.past.add(o.watch, o.after(i))
	}
	if err := o.meanwhile(other); err != nil {
		return err
	}
	recoverer, err := o.rescue(master, victim)
	if err != nil {
		return err
	}
	if err := o.goOn(other, "the recovery"); err != nil {
		return err
	}
	want, err := o.verify(recoverer)
	if err != nil {
		return err
	}
	return o.goesOn(recoverer, other, want)
}

// die runs the victim.
func (o *outcome) die(victim *Store) (failed error) {
	_, dead := killAt(o.n, func() {
		for _, sp := range o.sc.steps {
			if failed = sp.run(victim); failed != nil {
				return
			}
			o.done++
		}
	})
	if failed == nil && !dead && o.n > 0 {
		failed = fmt.Errorf("the victim lived through store %d", o.n)
	}
	return failed
}

// goOn lets the onlookers go on.
func (o *outcome) goOn(s *Store, when string) error {
	for _, l := range o.onlookers {
		if err := l.goOn(s, o.past); err != nil {
			return fmt.Errorf("after %s: %w", when, err)
		}
	}
	return nil
}

// meanwhile is what a living process does before anybody recovers anything:
// what it sees is what happened, and none of its adds may be lost.
func (o *outcome) meanwhile(s *Store) error {
	if err := o.goOn(s, "the death"); err != nil {
		return err
	}
	o.seen, o.gone, o.added = map[string]cell{}, map[string]bool{}, map[string]int64{}
	for _, key := range o.watch {
		if c, there, sure := peek(s, key); there && sure {
			o.seen[key] = c
		} else if sure {
			o.gone[key] = true
		}
	}
	for _, l := range o.onlookers {
		if l.addLate(s) {
			o.added[l.key]++
		}
		if l.key != "" && addNow(s, l.key) {
			o.added[l.key]++
		}
	}
	return nil
}

// rescue recovers the dead, by one process after the other.
func (o *outcome) rescue(master, victim *Store) (recoverer *Store, err error) {
	dead := []ID{victim.id}
	recoverer = master
	for _, at := range o.recovery {
		_, died := killAt(at, func() { err = o.recoverAll(recoverer, dead) })
		if err != nil {
			return recoverer, err
		}
		if !died {
			break
		}
		if err := o.goOn(newStore(o.region, o.ids[2], nil), "a death in the recovery"); err != nil {
			return recoverer, err
		}
		dead = append(dead, recoverer.id)
		if recoverer, _, err = o.region.AttachMaster(true); err != nil {
			return recoverer, err
		}
	}
	o.recovered, _ = killAt(0, func() { err = o.recoverAll(recoverer, dead) })
	return recoverer, err
}

func (o *outcome) recoverAll(s *Store, dead []ID) error {
	for _, id := range dead {
		do := o.recover
		if do == nil {
			do = func(s *Store, id ID) error { _, err := s.Recover(id); return err }
		}
		if err := do(s, id); err != nil {
			return err
		}
	}
	return nil
}

// whole is what the region shows, when Check has nothing to say.
func (o *outcome) whole(s *Store) (map[string]Item, error) {
	report := s.region.Check()
	if !report.OK() {
		return nil, fmt.Errorf("check: %v", report.Violations)
	}
	if len(report.Pending) > 0 {
		return nil, fmt.Errorf("unfinished: %v", report.Pending)
	}
	shown, err := look(s, &o.arena)
	if err != nil {
		return nil, err
	}
	keys := len(shown)
	if _, ok := shown[""]; ok {
		keys--
	}
	if n := int(report.Entries); n < keys || n != int(s.region.Stats().Entries) {
		return nil, fmt.Errorf("%d keys are shown, %d checked, %d counted", keys, n, s.region.Stats().Entries)
	}
	return shown, o.versions.noteAll(shown)
}

// verify holds the region against the model. Acknowledged steps have happened;
// the one in flight has, or has not, and what was seen of it before the
// recovery stays. An add that was made meanwhile came after it.
func (o *outcome) verify(s *Store) (want world, err error) {
	shown, err := o.whole(s)
	if err != nil {
		return want, err
	}
	for _, key := range o.watch {
		it, ok := shown[key]
		c, sure := o.seen[key]
		if o.added[key] > 0 && sure && !c.integer {
			return want, fmt.Errorf("an add to %.16q was acknowledged, and is lost: it is %v", key, c)
		}
		c.n += o.added[key]
		if sure && (!ok || cellOf(it) != c) || o.gone[key] && ok {
			return want, fmt.Errorf("%.16q was seen as %v, there: %v, before the recovery; now it is %v, %v", key, c, sure, cellOf(it), ok)
		}
	}
	var why string
	for _, n := range []int{o.done, min(o.done+1, len(o.sc.steps))} {
		want = o.after(n)
		if why = o.addTo(&want); why != "" {
			continue
		}
		if why = want.differs(shown, o.mayGo(o.done)); why == "" {
			why = o.misversioned(s.region, n, shown)
		}
		if why == "" {
			maps.DeleteFunc(want.keys, func(key string, _ cell) bool {
				_, visible := want.get(key)
				_, there := shown[key]
				return visible && !there
			})
			return want, nil
		}
	}
	return want, fmt.Errorf("after %d acknowledged steps: neither the state before nor after the next: %s", o.done, why)
}

// misversioned compares the versions of what nobody added to meanwhile with those
// that the keys have when n steps were done: the state before has the version
// before, and the state after another. Empty means equal.
func (o *outcome) misversioned(r *Region, n int, shown map[string]Item) string {
	for key, it := range shown {
		if is, want := r.relative(it.Version), o.given[n][key]; is != want && o.added[key] == 0 {
			return fmt.Sprintf("%.16q is as after step %d, in version %s, not %s", key, n, is.Append(nil), want.Append(nil))
		}
	}
	return ""
}

// addTo adds what was added meanwhile to the model.
func (o *outcome) addTo(w *world) string {
	for key, n := range o.added {
		c, ok := w.get(key)
		if !ok || !c.integer {
			return fmt.Sprintf("%d were added to %.16q, which is %v, there: %v", n, key, c, ok)
		}
		c.n += n
		w.keys[key] = c
	}
	return ""
}

// goesOn uses the region as anybody would, to see that nothing is stuck, and
// gives the memory of the dead to others while the onlookers still look.
func (o *outcome) goesOn(s, other *Store, want world) error {
	do := func(steps ...step) error {
		for _, sp := range steps {
			if err := sp.do(s); errors.Is(err, ErrFull) {
				continue
			} else if err != nil {
				return fmt.Errorf("going on: %s: %w", sp.name, err)
			}
			sp.model(&want)
			o.past.add(o.watch, want)
		}
		return o.goOn(other, "the memory was used again")
	}
	// First what was values becomes others, while what was entries stays;
	// then entries.
	reuse := []step{handsAt(0.5, 0)}
	for i, key := range o.watch {
		n := max(len(o.after(0).keys[key].bytes), len(want.keys[key].bytes), 1)
		reuse = append(reuse, putBytes(fmt.Sprintf("new%d", i), text('Z', n)))
	}
	if err := do(reuse...); err != nil {
		return err
	}
	reuse = []step{handsAt(0, 0)}
	for i := range 12 {
		reuse = append(reuse, set(fmt.Sprintf("int%d", i), int64(i)))
	}
	if err := do(reuse...); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(want.keys)) {
		c, _ := want.get(key)
		sp := write(key, cell{bytes: c.bytes + "+"}, Put{KeepTTL: true})
		if c.integer {
			sp = addTo(key, -1)
		}
		if key == "" {
			sp = setArgs(`{"goes":"on"}`)
		}
		if isFiller(key) {
			continue
		}
		if err := do(sp); err != nil {
			return err
		}
		if it, err := s.read(nil, []byte(key)); err == nil && cellOf(it).sameValue(want.keys[key]) && !cellOf(it).sameValue(c) {
			if err := o.versions.fresh(key, it.Version); err != nil {
				return err
			}
		}
	}
	shown, err := o.whole(s)
	if err != nil {
		return fmt.Errorf("after going on: %w", err)
	}
	if why := want.differs(shown, never); why != "" {
		return fmt.Errorf("after going on: %s", why)
	}
	if testing.Short() && o.n%3 != 0 { // a third of them will do
		return nil
	}
	return o.empties(s)
}

// empties removes everything: no unit may be left over.
func (o *outcome) empties(s *Store) error {
	if _, err := s.RemovePrefix(nil); err != nil {
		return err
	}
	crashClock += 1 << 40
	s.SweepExpired(1 << 40)
	if _, err := s.SetArgs(nil); err != nil {
		return err
	}
	shown, err := o.whole(s)
	if err != nil {
		return fmt.Errorf("after it was emptied: %w", err)
	}
	if used := s.region.Stats().Used; len(shown) != 1 || used != lineSize {
		return fmt.Errorf("after it was emptied: %d keys, %d bytes in use", len(shown), used)
	}
	return nil
}
