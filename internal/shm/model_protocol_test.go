package shm

// The protocol of lock.go, redo.go, recover.go, attach.go and sweep as a
// transition system: one atomic store, futex call or system call a step. Each
// step names the function it mirrors. A load shares a step with what follows
// where nobody else can change the loaded word in between. What the code says
// in 64-bit words is said here in small ones, so that a state is a key of a map.
//
// Left out: lockPatience, so that a lost wake-up is a deadlock; the spinning,
// because a failed try changes nothing and is the same as coming later; the
// words that are for people.

const (
	modelSlots   = 4 // workers', then masters'
	modelMasters = 2 // processes[:modelMasters] are masters
	modelProcs   = modelMasters + 3
)

// counter words: live 7 | generation 6..4 | value 3..0.
const modelLive = 1 << 7

func modelGen(w uint8) uint8 { return w >> 4 & 7 }

// name is an identity in a lock word: generation 7..4 | slot+1 3..1 | waiters 0.
func modelName(slot, gen uint8) uint8 { return gen<<4 | (slot+1)<<1 }

func modelSlotOf(name uint8) uint8 { return name>>1&7 - 1 }

// What a pair asks for.
const (
	pairLink = iota
	pairCount
	pairBirth
	pairKill
)

type modelPair struct{ off, val uint8 }

type modelControl struct{ gen, phase uint8 }

// modelProcess is a process and its registers.
type modelProcess struct {
	pc        modelPC
	slot, gen uint8
	orphan    bool    // its master is dead
	parent    uint8   // index of its master
	ops       uint8   // of its program, finished
	seq, word uint8   // what it loaded
	held      uint8   // lock word that it loaded
	i, n      uint8   // pairs: next, all
	at        uint8   // slot that it claims or sweeps
	target    uint8   // name of the dead that it recovers
	then      modelPC // after recovery
}

func (p *modelProcess) name() uint8 { return modelName(p.slot, p.gen) }

func (p *modelProcess) alive() bool { return p.pc > atZombie }

// modelState is the region, the kernel's part, the processes, and what an
// onlooker knows who sees everything.
type modelState struct {
	lock, seq, link, count, word uint8
	record                       uint32 // shardHeader.state: 0, or n and an exact checksum
	pairs                        [3]modelPair
	control                      [modelSlots]modelControl
	owner                        [modelSlots]uint8 // master's name

	bytes [modelSlots]uint8 // byte locks: process+1
	door  uint8

	procs [modelProcs]modelProcess

	want    uint8 // link and count as of the last commit
	sum     uint8 // what the counter must show
	crashes uint8 // that may still happen
	corrupt bool  // recovery met a record that does not match
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
	seqFirst       bool // seq even before state 0
	steal          bool // Recover for a process that was not reaped
	noIntent       bool // the pairs are applied without a commit
	stateKept      bool // recovery leaves state as it is
	noReplay       bool // recovery ignores state
	bumpFirst      bool // takeMasterSlot enrolls before it repairs
	trustAttach    bool // Attach does not look at control
	ignoreByteLock bool // recoverUnreaped does not try the byte lock
}

// lockModel is one arrangement of processes.
type lockModel struct {
	modelFlaws
	programs  []string // of each worker's slot: A adds, D deletes
	masters   int      // slots; with one, a new master takes over the dead one's
	mortal    bool     // masters die, too
	crashes   int
	fillFirst bool // the word is born before the commit, as in insertLocked; else by a pair, which asks more
}

type modelPC uint8

const (
	atGone   modelPC = iota // no process
	atZombie                // dead and not reaped

	atAttachHold // Attach
	atAttachSwap
	atAddSeq // Add, find, walk
	atAddLink
	atAddWord
	atAddCheck
	atAddSwap
	atAddReload
	atSpin // acquire
	atSlow
	atLook
	atMark
	atWait
	atAsleep

	atLocked // from here to unlock the process holds the lock
	atBumpLoad
	atBumpSwap
	atKillLoad
	atFill
	atPairOff // commitLocked
	atPairVal
	atCommit
	atOdd // applyLocked
	atApply
	atKillSwap
	atClear0
	atEven
	atRepair // repairLocked
	atRepairEven
	atUnlock // release
	atSurrenderSwap

	atUnlockWake
	atIdleWorker

	atSeizeLoad // Recover
	atSeizeSwap
	atSurrenderWake
	atWakeEach
	atFreeSlot

	atIdleMaster
	atClaimDoor // Claim
	atClaimOwner
	atClaimSwap
	atClaimLeave
	atLaunch    // crew.launch
	atEnterDoor // AttachMaster
	atTakeSlot
	atEnrollSelf
	atSweepDoor // Sweep
	atSweepLook
	atSweepAlive
	atSweepHold
	atSweepDrop
	atSweepLeave
)

var modelSteps = map[modelPC]string{
	atAttachHold: "Attach: take the byte lock", atAttachSwap: "Attach: control claimed -> live",
	atAddSeq: "find: load seq", atAddLink: "walk: load link", atAddWord: "walk: load word", atAddCheck: "find: load seq again",
	atAddSwap: "Add: swap word", atAddReload: "Add: load word again",
	atSpin: "acquire: swap 0 -> me", atSlow: "acquire: swap 0 -> me|waiters", atLook: "acquire: load the lock", atMark: "acquire: set waiters",
	atWait: "futexWait", atLocked: "holds the lock: findLocked", atBumpLoad: "addSlow: load word", atBumpSwap: "replaceLocked: swap word",
	atKillLoad: "deleteLocked: load word", atFill: "insertLocked: fill the item", atPairOff: "commitLocked: put a pair's offset",
	atPairVal: "commitLocked: put a pair's value", atCommit: "commitLocked: put state", atOdd: "applyLocked: seq odd",
	atApply: "applyLocked: apply a pair", atKillSwap: "applyLocked: swap word -> dead", atClear0: "applyLocked: state = 0", atEven: "applyLocked: seq even",
	atRepair: "repairLocked: load state and seq", atRepairEven: "repairLocked: seq even", atUnlock: "release: swap 0", atUnlockWake: "release: wake one",
	atSurrenderSwap: "surrender: swap 0", atSurrenderWake: "surrender: wake all", atSeizeLoad: "seize: load the lock", atSeizeSwap: "seize: swap dead -> me|waiters",
	atWakeEach: "repairAll: wake all of each lock", atFreeSlot: "free: control -> free, generation+1",
	atClaimDoor: "Claim: take the door", atClaimOwner: "claim: put owner", atClaimSwap: "claim: control free -> claimed", atClaimLeave: "Claim: leave the door",
	atLaunch: "launch: start a process", atEnterDoor: "AttachMaster: take the door, nobody lives", atTakeSlot: "takeMasterSlot: take the byte lock",
	atEnrollSelf: "enroll: control -> live", atSweepDoor: "Sweep: take the door", atSweepLook: "sweep: load control and owner", atSweepAlive: "sweep: masterAlive",
	atSweepHold: "recoverUnreaped: take the byte lock", atSweepDrop: "recoverUnreaped: drop the byte lock", atSweepLeave: "Sweep: leave the door",
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
