package master

import (
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
)

// The theatre as a scoreboard and as an operating system.

func (f *theatre) Claim(prefer int) (shm.ID, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for slot := range f.slots {
		if prefer >= 0 && !f.taken[prefer] {
			slot = prefer
		}
		if !f.taken[slot] {
			f.taken[slot] = true
			f.note("claim %d", slot)
			return shm.ID{Slot: slot, Generation: f.generations[slot]}, nil
		}
	}
	return shm.ID{}, shm.ErrNoSlot
}

// haveSlots makes the region have so many.
func (f *theatre) haveSlots(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.slots = n
}

func (f *theatre) Spawned(id shm.ID, pid int) {}

func (f *theatre) Died(id shm.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deaths++
}

func (f *theatre) Recover(id shm.ID) (shm.Recovery, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("recover %d.%d", id.Slot, id.Generation)
	if f.damaged != nil {
		return shm.Recovery{ID: id}, f.damaged
	}
	f.taken[id.Slot] = false
	delete(f.live, id.Slot)
	f.generations[id.Slot]++
	return shm.Recovery{ID: id}, nil
}

// damage makes the scoreboard answer err from now on.
func (f *theatre) damage(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.damaged = err
}

func (f *theatre) Sweep() ([]shm.Recovery, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sweeps++
	return nil, f.damaged
}

func (f *theatre) BeatOf(slot int) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.frozen[slot] {
		return 7
	}
	f.beat++
	return 1000 + f.beat
}

func (f *theatre) StateOf(slot int) shm.State {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.draining[slot] {
		return shm.StateDraining
	}
	return shm.StateReady
}

func (f *theatre) RequestsOf(slot int) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests[slot]
}

func (f *theatre) memory(int) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.grown
}

func (f *theatre) told(state string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.service = append(f.service, state)
}

// answer counts requests of the worker in a slot.
func (f *theatre) answer(slot int, n uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests[slot] += n
}

// freeze keeps the worker in the slot from beating, or lets it.
func (f *theatre) freeze(slot int, frozen bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.frozen[slot] = frozen
}

func (f *theatre) spawn(w handoff.Worker, _ []int) (int, io.ReadCloser, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.spawnFails != nil {
		return 0, nil, f.spawnFails
	}
	f.lastPID++
	r, wr := io.Pipe()
	f.pipes[f.lastPID] = wr
	f.live[w.Slot] = f.lastPID
	f.note("spawn %d.%d", w.Slot, w.Generation)
	return f.lastPID, r, nil
}

// lateChannel is read by a watcher that gets to run late.
type lateChannel struct {
	net.Conn
	by time.Duration
}

func (c lateChannel) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	time.Sleep(c.by)
	return n, err
}

func (c lateChannel) CloseRead() error { return nil } // the test ends the heir's end

func (f *theatre) startHeir() (int, heirChannel, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.spawnFails != nil {
		return 0, nil, f.spawnFails
	}
	f.lastPID++
	own, theirs := net.Pipe()
	f.heirs[f.lastPID] = theirs
	f.note("heir %d", f.lastPID)
	return f.lastPID, lateChannel{own, f.lateness}, nil
}

// enqueue lets connections wait for a seat.
func (f *theatre) enqueue(seat, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queues[seat] = n
}

func (f *theatre) queuedAt(seat int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.queues[seat]
}

func (f *theatre) hand(pid int, sockets []int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("hand %v to %d", sockets, pid)
	for _, s := range sockets {
		f.queues[s-1000] = 0
	}
	return nil
}

func (f *theatre) tell(pid int, message byte) error {
	f.noted(fmt.Sprintf("tell %d %c", pid, message))
	return nil
}

func (f *theatre) spawnHeir([]string, handoff.Upgrade, []int) (int, heirChannel, error) {
	panic("the crew starts heirs by its own field")
}

func (f *theatre) reap() []exit {
	f.mu.Lock()
	defer f.mu.Unlock()
	exits := f.exits
	f.exits = nil
	return exits
}

func (f *theatre) kill(pid int, sig syscall.Signal) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("%s %d", unix.SignalName(sig), pid)
	return nil
}
