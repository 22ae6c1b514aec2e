package shm

import (
	"fmt"
	"strings"
	"testing"
)

// start is the region with every worker attached and about to begin.
func (m *lockModel) start() modelState {
	s := modelState{crashes: uint8(m.crashes)}
	workers := uint8(len(m.programs))
	for i := range workers {
		p := &s.procs[modelMasters+i]
		*p = modelProcess{slot: i}
		m.operate(p)
		s.control[i] = modelControl{0, phaseLive}
		s.owner[i] = modelName(workers, 0)
		s.bytes[i] = modelMasters + i + 1
	}
	for i := range uint8(m.masters) {
		s.procs[i] = modelProcess{pc: atIdleMaster, slot: workers + i}
		s.control[workers+i] = modelControl{0, phaseLive}
		s.bytes[workers+i] = i + 1
	}
	return s
}

// broken says which promise a state breaks, "" for none.
func (m *lockModel) broken(s *modelState) string {
	for i := range s.procs {
		p := &s.procs[i]
		if p.pc >= atLocked && p.pc <= atSurrenderSwap && s.lock&^waiters != p.name() {
			return fmt.Sprintf("the lock was taken from %s, which may still run", m.title(s, uint8(i)))
		}
	}
	if s.lock != 0 {
		c := s.control[modelSlotOf(s.lock)]
		if c.gen != s.lock>>4 || c.phase == phaseFree {
			return fmt.Sprintf("the lock names slot %d generation %d, which was freed", modelSlotOf(s.lock), s.lock>>4)
		}
	}
	if s.bad != badNothing {
		return modelBads[s.bad]
	}
	for key := range s.bucket {
		if why := s.brokenKey(key); why != "" {
			return why
		}
	}
	if s.lock != 0 {
		return "" // what is derived is its holder's own business
	}
	if s.bitmap != s.reached() {
		return fmt.Sprintf("units %06b are in use, units %06b are somebody's", s.bitmap, s.reached())
	}
	if s.count != s.linkedKeys() {
		return "the count is wrong"
	}
	for i, line := range s.lines {
		if s.bitmap>>i&1 == 0 && line.word&modelKind == modelNarrow {
			return "a line that is free begins as a counter does"
		}
	}
	return ""
}

// brokenKey holds what a key's bucket leads to against what has happened.
func (s *modelState) brokenKey(key int) string {
	at, there, value := s.bucket[key], s.there[key], s.value[key]
	if at == 0 {
		if there && s.lock == 0 {
			return "a key is lost"
		}
		return ""
	}
	line := s.lines[at-1]
	switch kind := line.word & modelKind; {
	case kind == modelDead && s.lock == 0:
		return "a dead entry is linked, and nobody is at it"
	case kind == modelDead:
	case !there:
		return "an entry is linked of a key that is gone"
	case int(line.key) != key+1:
		return "an entry is linked that is not filled"
	case kind == modelBytes && (line.version != value || s.units[line.word&7] != value):
		return fmt.Sprintf("value %d of version %d is there, and should be %d", s.units[line.word&7], line.version, value)
	case kind != modelBytes && line.word&7 != value:
		return fmt.Sprintf("the counter is %d and should be %d", line.word&7, value)
	case s.lock == 0 && line.version > s.versions:
		return "a version is there that was not given out"
	}
	return ""
}

// stuck says what is unfinished in a state where nobody can go on.
func (m *lockModel) stuck(s *modelState) string {
	for i := range s.procs {
		if p := &s.procs[i]; p.alive() && p.pc != atIdleWorker && p.pc != atIdleMaster {
			return fmt.Sprintf("deadlock: %s is asleep or waits for ever", m.title(s, uint8(i)))
		}
	}
	if s.lock != 0 {
		return "at the end the lock is not free, or its work not finished"
	}
	for i := range m.programs {
		if s.control[i].phase != phaseLive || s.bytes[i] == 0 {
			return fmt.Sprintf("at the end slot %d has no worker", i)
		}
	}
	return ""
}

func (m *lockModel) title(s *modelState, who uint8) string {
	p := &s.procs[who]
	if who < modelMasters {
		return fmt.Sprintf("master %d.%d", p.slot, p.gen)
	}
	return fmt.Sprintf("worker %d.%d", p.slot, p.gen)
}

// modelCases are the arrangements that the protocol is explored in.
var modelCases = []struct {
	name  string
	short bool
	lockModel
}{
	{"three workers, one death", true, lockModel{programs: []string{"A", "D", "A"}, masters: 1, crashes: 1}},
	{"two workers, two deaths", true, lockModel{programs: []string{"AD", "AD"}, masters: 1, crashes: 2}},
	{"two masters, one death", true, lockModel{programs: []string{"A", "D"}, masters: 2, mortal: true, crashes: 1}},
	{"successive masters, three deaths", true, lockModel{programs: []string{"A"}, masters: 1, mortal: true, crashes: 3}},
	{"replaced beside an add", true, lockModel{programs: []string{"AR", "A"}, masters: 1, crashes: 2}},
	{"bytes beside a reader", true, lockModel{programs: []string{"PPO", "G"}, masters: 1, crashes: 1}},
	{"bytes removed beside a reader", true, lockModel{programs: []string{"PD", "G", "O"}, masters: 1, crashes: 1}},
	{"counter and bytes", true, lockModel{programs: []string{"AP", "A"}, masters: 1, crashes: 1}},
	{"three workers, two deaths", false, lockModel{programs: []string{"A", "D", "A"}, masters: 1, crashes: 2}},
	{"replaced beside two adds", false, lockModel{programs: []string{"AR", "A", "A"}, masters: 1, crashes: 1}},
	{"bytes beside a reader and another's", false, lockModel{programs: []string{"PP", "G", "O"}, masters: 1, crashes: 1}},
	{"bytes beside a reader, two deaths", false, lockModel{programs: []string{"PPO", "G"}, masters: 1, crashes: 2}},
	{"two masters, two deaths", false, lockModel{programs: []string{"A", "D"}, masters: 2, mortal: true, crashes: 2}},
	{"successive masters, two workers", false, lockModel{programs: []string{"A", "A"}, masters: 1, mortal: true, crashes: 2}},
}

// TestModel explores every order of steps and deaths of the protocol.
func TestModel(t *testing.T) {
	for _, c := range modelCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && !c.short {
				t.Skip("the larger arrangements are left out")
			}
			states, bad, trace := c.explore()
			if bad != "" {
				t.Fatalf("%s, after\n\t%s", bad, strings.Join(trace, "\n\t"))
			}
			t.Logf("%d states", states)
		})
	}
}

// TestModelFindsFlaws proves that the exploration can fail: each mistake breaks
// the promise that it should.
func TestModelFindsFlaws(t *testing.T) {
	two := lockModel{programs: []string{"A", "D"}, masters: 1, crashes: 1}
	three := lockModel{programs: []string{"A", "A", "D"}, masters: 1, crashes: 1}
	joined := lockModel{programs: []string{"A", "D"}, masters: 2, mortal: true, crashes: 2}
	successive := lockModel{programs: []string{"A"}, masters: 1, mortal: true, crashes: 2}
	replaced := lockModel{programs: []string{"AR", "A"}, masters: 1, crashes: 1}
	read := lockModel{programs: []string{"PPO", "G"}, masters: 1, crashes: 1}
	beside := lockModel{programs: []string{"PP", "G", "O"}, masters: 1, crashes: 1}
	removed := lockModel{programs: []string{"PDO", "G"}, masters: 1, crashes: 1}
	for _, c := range []struct {
		name string
		lockModel
		modelFlaws
		want string // "" for a change that does no harm
	}{
		{"respawn before recovery", two, modelFlaws{respawnFirst: true}, "the lock was taken from"},
		{"slot freed before recovery", two, modelFlaws{freeFirst: true}, "which was freed"},
		{"recovery of a process that still runs", two, modelFlaws{steal: true}, "the lock was taken from"},
		{"recovery without waking", two, modelFlaws{noWakeAll: true}, "deadlock"},
		{"release that loads and stores", two, modelFlaws{looseRelease: true}, "deadlock"},
		{"waiting without a look at the word", two, modelFlaws{blindWait: true}, "deadlock"},
		{"waiters bit forgotten after a sleep", three, modelFlaws{forgetWaiters: true}, "deadlock"},
		{"generation moved on before a master's repair", successive, modelFlaws{bumpFirst: true}, "which was freed"},
		{"sweep without the byte lock", joined, modelFlaws{ignoreByteLock: true}, "the lock was taken from"},
		{"attaching to a slot that was lost", joined, modelFlaws{trustAttach: true}, "the lock was taken from"},

		{"linked before it is filled", two, modelFlaws{linkFirst: true}, "that is not filled"},
		{"number given out after the link", two, modelFlaws{numberLate: true}, "that was not given out"},
		{"replaced without a freeze", replaced, modelFlaws{noFreeze: true}, "an add went to"},
		{"killed before the new one is linked", replaced, modelFlaws{killFirst: true}, "a key is lost"},
		{"counter not killed", two, modelFlaws{noKill: true}, "a line that is free begins"},
		{"given back and seq not moved on", read, modelFlaws{noSeq: true}, "does not find"},
		{"bytes given back and seq not moved on", removed, modelFlaws{noSeq: true}, "believes in a value"},
		{"old value given back before the new one is taken", read, modelFlaws{giveFirst: true}, "should be"},
		{"recovery without a rebuild", two, modelFlaws{noRebuild: true}, "are in use"},
		{"rebuild that kills nothing", two, modelFlaws{keepWords: true}, "a line that is free begins"},
		{"rebuild that kills before it moves seq on", read, modelFlaws{seqLate: true}, "believes in a value"},
		{"rebuild that does not move seq on", beside, modelFlaws{keepSeq: true}, "believes in a value"},
		{"rebuild that leaves what is dead", two, modelFlaws{keepLinked: true}, "a dead entry is linked"},
		// The margins of the protocol: it holds without them.
		{"bytes not killed", removed, modelFlaws{noKill: true}, ""},
		{"recovery wakes one", three, modelFlaws{wakeOne: true}, ""},
		{"recovery by a second master wakes one", joined, modelFlaws{wakeOne: true}, ""},
		{"bytes given back before they are killed", removed, modelFlaws{giveEarly: true}, ""},
		{"counter given back before it is killed", two, modelFlaws{giveEarly: true}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := c.lockModel
			m.modelFlaws = c.modelFlaws
			states, bad, trace := m.explore()
			t.Logf("%d states %s\n\t%s", states, bad, strings.Join(trace, "\n\t"))
			if (bad == "") != (c.want == "") || !strings.Contains(bad, c.want) {
				t.Errorf("found %q, want %q", bad, c.want)
			}
		})
	}
}
