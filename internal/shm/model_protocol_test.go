package shm

// The protocol of lock.go, change.go, rebuild.go, recover.go, attach.go and
// sweep as a transition system: one atomic store, futex call or system call a
// step. Each step names the function it mirrors. A load shares a step with what
// follows where nobody else can change the loaded word in between. What the code
// says in 64-bit words is said here in small ones, so that a state is a key of
// a map.
//
// Left out: lockPatience, so that a lost wake-up is a deadlock; the spinning,
// because a failed try changes nothing and is the same as coming later; giving
// a lock up, which changes nothing either; the words that are for people.
// Memory is three lines and three units: an entry each of two keys, and a draft.

const (
	modelSlots   = 4 // workers', then masters'
	modelMasters = 2 // processes[:modelMasters] are masters
	modelProcs   = modelMasters + 3

	modelLines = 3
	modelUnits = 3
)

// The keys, and their buckets. All programs are about the first; the other is
// there to get its memory.
const (
	modelKey   = 0
	modelOther = 1
)

// Words of an entry: kind 7..6 | generation 5..3 | value 2..0, or the body's unit.
const (
	modelDead = iota << 6
	modelWide
	modelBytes
	modelNarrow

	modelKind = 3 << 6
)

// name is an identity in a lock word: generation 7..4 | slot+1 3..1 | waiters 0.
func modelName(slot, gen uint8) uint8 { return gen<<4 | (slot+1)<<1 }

func modelSlotOf(name uint8) uint8 { return name>>1&7 - 1 }

type modelLine struct{ word, version, key uint8 }

type modelControl struct{ gen, phase uint8 }

// modelProcess is a process and its registers.
type modelProcess struct {
	pc        modelPC
	slot, gen uint8
	orphan    bool    // its master is dead
	parent    uint8   // index of its master
	ops       uint8   // of its program, finished
	seq, word uint8   // what it loaded
	version   uint8   // of the entry that it found, or of its draft
	line      uint8   // where the key is, +1
	fresh     uint8   // its draft's line, +1
	unit      uint8   // its draft's unit, +1; or the content that it copied
	held      uint8   // lock word that it loaded
	i, n      uint8   // what it is at, of how many; n: version of what it copied
	at        uint8   // slot that it claims or sweeps
	target    uint8   // name of the dead that it recovers
	then      modelPC // after recovery
}

func (p *modelProcess) name() uint8 { return modelName(p.slot, p.gen) }

func (p *modelProcess) alive() bool { return p.pc > atZombie }

// modelState is the region, the kernel's part, the processes, and what an
// onlooker knows who sees everything.
type modelState struct {
	lock, seq, versions, count uint8
	bucket                     [2]uint8 // line+1 of the key's entry
	lines                      [modelLines]modelLine
	units                      [modelUnits]uint8 // version of the value that is in there
	bitmap                     uint8             // lines, then units
	control                    [modelSlots]modelControl
	owner                      [modelSlots]uint8 // master's name

	bytes [modelSlots]uint8 // byte locks: process+1
	door  uint8

	procs [modelProcs]modelProcess

	there   [2]bool  // the key is, as of the last change that happened
	value   [2]uint8 // that it must show: of a counter the sum, of bytes the version
	crashes uint8    // that may still happen
	bad     modelBad // what somebody was told that is not so
}

type modelBad uint8

const (
	badNothing modelBad = iota
	badAdd
	badCopy
	badAbsence
)

var modelBads = [...]string{
	badAdd:     "an add went to an entry that nobody reaches",
	badCopy:    "a reader believes in a value that is not the one it found",
	badAbsence: "a reader does not find a key that is there",
}

// flaws are mistakes that can be built into the protocol.
type modelFlaws struct {
	respawnFirst   bool // the slot goes to the next process, same generation, before recovery
	freeFirst      bool // free before repairAll
	noWakeAll      bool // repairAll without its last line
	wakeOne        bool // recovery wakes one sleeper, not all
	forgetWaiters  bool // the lock is taken without the waiters bit after a sleep
	blindWait      bool // futexWait does not look at the word
	looseRelease   bool // release loads the word and then stores 0
	steal          bool // Recover for a process that was not reaped
	bumpFirst      bool // takeMasterSlot enrolls before it repairs
	trustAttach    bool // Attach does not look at control
	ignoreByteLock bool // recoverUnreaped does not try the byte lock

	linkFirst  bool // an entry is linked before it is filled
	numberLate bool // the version number is given out after the entry is linked
	noFreeze   bool // a counter is replaced while others may add to it
	killFirst  bool // replace kills the old entry before it links the new one
	noKill     bool // what is unlinked is not killed
	noSeq      bool // units are given back and seq is as it was
	giveFirst  bool // replace gives the old value back before it takes a unit for the new one
	giveEarly  bool // remove gives units back before it kills and unlinks their entry
	noRebuild  bool // recovery takes the shard as it is
	keepWords  bool // recovery kills nothing
	keepSeq    bool // recovery leaves seq as it is
	seqLate    bool // recovery kills what is free before it moves seq on
	keepLinked bool // recovery leaves what is dead linked
}

// lockModel is one arrangement of processes.
type lockModel struct {
	modelFlaws
	// programs of each worker's slot, an operation a letter:
	//
	//	A  adds 1 to the counter, or creates it
	//	D  deletes the key
	//	R  adds 1 to the counter by another entry in its place
	//	P  puts bytes
	//	G  reads bytes
	//	O  puts bytes at the other key, if it is not there
	programs []string
	masters  int  // slots; with one, a new master takes over the dead one's
	mortal   bool // masters die, too
	crashes  int
}

// move is one step of one process.
type modelMove struct {
	next modelState
	who  uint8
	what string
	free bool // a crash, which nobody is owed
}

// moves appends every step that may come next.
func (m *lockModel) moves(s *modelState, out []modelMove) []modelMove {
	workers := uint8(len(m.programs))
	mastersAlive := 0
	for i := range modelMasters {
		if s.procs[i].alive() {
			mastersAlive++
		}
	}
	for who := range uint8(modelProcs) {
		p := &s.procs[who]
		switch {
		case who < modelMasters && p.alive():
			out = m.masterStep(s, who, out)
			if s.crashes > 0 && m.mortal && (m.masters == 1 || mastersAlive > 1) {
				out = append(out, s.crash(who))
			}
		case who == 0 && m.masters == 1 && m.mortal:
			// AttachMaster(false) waits while a worker of the dead master lives.
			if s.door == 0 && s.bytes == [modelSlots]uint8{} {
				n := *s
				n.door = who + 1
				n.procs[who] = modelProcess{pc: atTakeSlot, slot: workers}
				out = append(out, modelMove{n, who, modelSteps[atEnterDoor], false})
			}
		case who >= modelMasters && p.alive():
			if p.pc != atAsleep && p.pc != atIdleWorker {
				out = m.workerStep(s, who, out)
			}
			if p.orphan && (m.masters == 1 || p.pc == atIdleWorker) {
				n := *s
				n.end(who)
				out = append(out, modelMove{n, who, "leaves, its master is dead", false})
			}
			if s.crashes > 0 && p.pc != atIdleWorker {
				out = append(out, s.crash(who))
			}
		}
	}
	return out
}

func (s *modelState) crash(who uint8) modelMove {
	n := *s
	n.crashes--
	n.end(who)
	return modelMove{n, who, "is killed", true}
}

// end is what the kernel does: byte locks go with the process, orphans are
// reaped by somebody who does not care.
func (s *modelState) end(who uint8) {
	for i, holder := range s.bytes {
		if holder == who+1 {
			s.bytes[i] = 0
		}
	}
	if s.door == who+1 {
		s.door = 0
	}
	p := &s.procs[who]
	if who >= modelMasters && !p.orphan {
		*p = modelProcess{pc: atZombie, slot: p.slot, gen: p.gen, parent: p.parent}
		return
	}
	*p = modelProcess{}
	if who >= modelMasters {
		return
	}
	for i := modelMasters; i < modelProcs; i++ {
		switch child := &s.procs[i]; {
		case child.pc == atGone || child.orphan || child.parent != who:
		case child.pc == atZombie:
			*child = modelProcess{}
		default:
			child.orphan = true
		}
	}
}
