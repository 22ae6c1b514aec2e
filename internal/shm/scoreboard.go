package shm

import "time"

// State is what a worker says of itself.
type State uint64

// A worker's states, in the order it goes through them.
const (
	StateStarting State = iota + 1
	StateReady
	StateDraining
)

func (s State) String() string {
	switch s {
	case StateStarting:
		return "starting"
	case StateReady:
		return "ready"
	case StateDraining:
		return "draining"
	}
	if s == 0 {
		return "free"
	}
	return "unknown"
}

// A slot's phases, the low half of its control word; the high half is the
// generation.
//
//	free --Claim--> claimed --Attach--> live
//	claimed, live --Recover--> free, generation+1
const (
	phaseFree    = 0
	phaseClaimed = 1
	phaseLive    = 2
)

func packControl(gen uint32, phase uint64) uint64 { return uint64(gen)<<32 | phase }

func unpackControl(w uint64) (gen uint32, phase uint64) { return uint32(w >> 32), w & 0xffffffff }

func packID(id ID) uint64 { return uint64(id.Slot)<<32 | uint64(id.Generation) }

func unpackID(w uint64) ID { return ID{Slot: int(w >> 32), Generation: uint32(w)} }

// SlotInfo is one row of the scoreboard.
type SlotInfo struct {
	ID
	PID          int
	Master       bool  // a master's or a tool's slot, not a worker's
	Owner        ID    // the master that claimed it
	State        State // 0 while free
	Live         bool  // attached: its process has proved its life
	Requests     uint64
	Errors       uint64 // with Requests: of this slot since the region was created, so that sums never fall
	Connections  int64
	Processes    uint64 // that the slot has had since the region was created
	Restarts     uint64 // those after the first
	Deaths       uint64 // those that ended and were not told to
	HeartbeatAge time.Duration
	StartedAt    time.Time
	Memory       uint64        // bytes resident, sampled
	CPU          time.Duration // of the slot's processes since the region was created, sampled
}

// Slots is a snapshot of the slots that are not free. Each word of it is
// exact; a slot that changes hands meanwhile may mix two processes' words.
func (r *Region) Slots() []SlotInfo {
	rows := make([]SlotInfo, 0, 16)
	at := now()
	for i := range r.slotCount() {
		row, free := r.row(i, at)
		if free {
			continue
		}
		if !row.Master {
			row.Requests, row.Errors = r.meters(i).answered()
		}
		rows = append(rows, row)
	}
	return rows
}

// WorkerSlots are all slots of workers, with what the region's meters do not tell.
// Of a free one there is no more than its processes and their CPU.
func (r *Region) WorkerSlots() []SlotInfo {
	rows := make([]SlotInfo, r.sb.slots)
	at := now()
	for i := range rows {
		row, free := r.row(i, at)
		if free {
			row = SlotInfo{ID: row.ID, Processes: row.Processes, Restarts: row.Restarts, Deaths: row.Deaths, CPU: row.CPU}
		}
		rows[i] = row
	}
	return rows
}

func (r *Region) row(i int, at uint64) (row SlotInfo, free bool) {
	rec := r.slot(i)
	gen, phase := unpackControl(rec.control.Load())
	row = SlotInfo{
		ID:           ID{Slot: i, Generation: gen},
		PID:          int(rec.pid.Load()),
		Master:       i >= int(r.sb.slots),
		Owner:        unpackID(rec.owner.Load()),
		State:        State(rec.state.Load()),
		Live:         phase == phaseLive,
		Connections:  int64(rec.connections.Load()),
		Memory:       rec.memory.Load(),
		CPU:          time.Duration(rec.cpu.Load()),
		StartedAt:    startOf(rec.started.Load()),
		HeartbeatAge: since(at, rec.beat.Load()),
		Deaths:       rec.deaths.Load(),
	}
	if row.Processes = rec.spawns.Load(); row.Processes > 0 {
		row.Restarts = row.Processes - 1
	}
	return row, phase == phaseFree
}

// startOf reads a time that damage may have made one which nobody can write.
func startOf(ms uint64) time.Time {
	if ms > lastStart {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms))
}

const lastStart = 253_402_300_799_000 // the end of the year 9999, which RFC 3339 can write

// since is the time between two readings of now; a word written meanwhile may
// be the later one.
func since(at, then uint64) time.Duration {
	if then == 0 || then > at {
		return 0
	}
	return time.Duration(at-then) * time.Millisecond
}

func (r *Region) slot(i int) *slotRecord {
	return r.mem.slot(r.sb.scoreboard + uint64(i)*slotSize)
}

func (r *Region) slotCount() int { return int(r.sb.slots) + MasterSlots }

// Beat tells the master that this process is alive and scheduling.
func (s *Store) Beat() { put(&s.slot.beat, now()) }

// BeatOf is the last beat of a slot's process, in ms of the host's monotonic
// clock.
func (s *Store) BeatOf(slot int) uint64 { return s.region.slot(slot).beat.Load() }

// StateOf is what a slot's process says of itself.
func (s *Store) StateOf(slot int) State { return State(s.region.slot(slot).state.Load()) }

// RequestsOf is how many requests a slot's processes have answered since the
// region was created.
func (s *Store) RequestsOf(slot int) uint64 {
	all, _ := s.region.meters(slot).answered()
	return all
}

// OwnerState is MasterState of the master that claimed this process's slot.
func (s *Store) OwnerState() State { return s.MasterState(unpackID(s.slot.owner.Load())) }

// MasterState is what a master said of itself last, also after its death: ready,
// and draining when it has left its listeners to another master; starting, when
// it has not got them from another one yet. It is 0 when the slot has the next
// process.
func (s *Store) MasterState(id ID) State {
	if id.Slot < 0 || id.Slot >= s.region.slotCount() {
		return 0
	}
	rec := s.region.slot(id.Slot)
	state := State(rec.state.Load())
	// enroll writes the owner first: with the old one the state is its own, too.
	if unpackID(rec.owner.Load()) != id {
		return 0
	}
	return state
}

// SetState tells what this process is doing.
func (s *Store) SetState(st State) { put(&s.slot.state, uint64(st)) }

// SetMemory records this process's resident memory in bytes.
func (s *Store) SetMemory(bytes uint64) { put(&s.slot.memory, bytes) }

// SetCPU records the CPU that this process has used.
func (s *Store) SetCPU(used time.Duration) { put(&s.slot.cpu, s.cpu+uint64(used)) }

// ConnOpened counts an accepted connection.
func (s *Store) ConnOpened() {
	add(&s.slot.connections, 1)
	add(&s.meters.accepted, 1)
}

// ConnClosed counts a connection's end.
func (s *Store) ConnClosed() { add(&s.slot.connections, ^uint64(0)) }
