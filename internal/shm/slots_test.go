package shm

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

func TestClaim(t *testing.T) {
	t.Parallel()
	for _, b := range backings {
		t.Run(b.name, func(t *testing.T) {
			r := b.make(t, Geometry{Size: MinSize, Slots: 3})
			master, _, err := r.AttachMaster(false)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct{ prefer, want int }{{2, 2}, {2, 0}, {99, 1}} {
				if id, err := master.Claim(c.prefer); err != nil || id != (ID{c.want, 0}) {
					t.Fatalf("Claim(%d): %v, %v; want slot %d", c.prefer, id, err, c.want)
				}
			}
			if _, err := master.Claim(1); !errors.Is(err, ErrNoSlot) {
				t.Fatalf("a fourth of three slots: %v", err)
			}
			w, err := r.Attach(ID{1, 0})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Set([]byte("k"), 7); err != nil {
				t.Fatal(err)
			}
			if err := w.Detach(); err != nil {
				t.Fatal(err)
			}
			id, err := master.Claim(-1)
			if err != nil || id != (ID{1, 1}) {
				t.Fatalf("the slot that was given up: %v, %v", id, err)
			}
			if w, err = r.Attach(id); err != nil {
				t.Fatalf("attaching again: %v", err)
			}
			if v, err := w.Get([]byte("k")); v != 7 || err != nil {
				t.Fatalf("%d, %v", v, err)
			}
			// A process that left by itself is reaped as well.
			if _, err := master.Recover(ID{1, 0}); err != nil {
				t.Fatal(err)
			}
			if _, phase := unpackControl(r.slot(1).control.Load()); phase != phaseLive {
				t.Fatalf("recovering an earlier generation changed the slot's phase to %d", phase)
			}
		})
	}
}

// Recover frees exactly what the dead process held, once.
func TestRecoverIsForOneGeneration(t *testing.T) {
	t.Parallel()
	r := heapRegion(t, Geometry{Size: 16 << 20, Slots: 4})
	master, dead := attached(t, r)
	living := newWorker(t, r, master)
	holdLock(dead, "a")
	theirs := &r.shards[r.sb.shards-1].header.lock
	if theirs.Load() != 0 {
		theirs = &r.shards[0].header.lock
	}
	acquire(theirs, living.owner, patience)
	unpin()
	done, err := master.Recover(dead.ID())
	if err != nil || done.Locks != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	if theirs.Load()&^waiters != living.owner {
		t.Fatal("the lock of a living process was taken away")
	}
	next, err := master.Claim(dead.ID().Slot)
	if err != nil {
		t.Fatal(err)
	}
	heir, err := r.Attach(next)
	if err != nil {
		t.Fatal(err)
	}
	sh := holdLock(heir, "a")
	if done, err := master.Recover(dead.ID()); err != nil || done.Locks != 0 {
		t.Fatalf("recovered again: %+v, %v", done, err)
	}
	if sh.header.lock.Load()&^waiters != heir.owner {
		t.Fatal("the next generation's lock was taken away")
	}
	for _, s := range []*Store{heir, living} {
		if done, err := master.Recover(s.ID()); err != nil || done.Locks != 1 {
			t.Fatalf("%+v, %v", done, err)
		}
	}
}

// Sixteen masters may be attached; sixteen dead ones are no obstacle, and what
// they held is repaired.
// Not parallel, as TestLifeLocksBelongToTheDescription.
func TestMasterSlotsOfTheDead(t *testing.T) {
	r := mappedRegion(t, Geometry{Size: 16 << 20, Slots: 2})
	var regions []*Region
	var held *shard
	for i := range MasterSlots {
		own := reopened(t, r)
		s, _, err := own.AttachMaster(i > 0)
		if err != nil {
			t.Fatalf("master %d: %v", i, err)
		}
		switch i {
		case 0: // the first slot is the one taken over
			held = holdLock(s, "a")
		case MasterSlots - 1:
			_, elsewhere := keysByShard(s, &own.shards[held.index], 1)
			holdLock(s, string(elsewhere[0]))
		case 3:
			if _, err := s.Claim(-1); err != nil { // and never started
				t.Fatal(err)
			}
		}
		regions = append(regions, own)
	}
	if _, _, err := reopened(t, r).AttachMaster(true); !errors.Is(err, ErrNoSlot) {
		t.Fatalf("a master too many: %v", err)
	}
	for _, own := range regions {
		die(t, own)
	}
	s, done, err := r.AttachMaster(false)
	if err != nil {
		t.Fatalf("after %d dead masters: %v", MasterSlots, err)
	}
	// One slot was taken over; the others and the claimed worker's are swept.
	if len(done) != MasterSlots {
		t.Errorf("%d slots recovered, want %d: %+v", len(done), MasterSlots, done)
	}
	if rows := r.Slots(); len(rows) != 1 || rows[0].ID != s.ID() {
		t.Errorf("left in the scoreboard: %+v", rows)
	}
	r.eachLock(func(lock *atomic.Uint32) {
		if lock.Load() != 0 {
			t.Fatal("a dead master still holds a lock")
		}
	})
	for _, key := range []string{"a", "b"} {
		if v, err := s.Add([]byte(key), 1, 0); v != 1 || err != nil {
			t.Errorf("%s: %d, %v", key, v, err)
		}
	}
}

// What a slot has counted is counted on by its next process: a sum over the
// scoreboard never falls.
func TestScoreboardOverGenerations(t *testing.T) {
	t.Parallel()
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 2})
	master, _, err := r.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	const generations = 5
	for gen := range uint32(generations) {
		id, err := master.Claim(0)
		if err != nil || id.Generation != gen {
			t.Fatalf("generation %d: %v, %v", gen, id, err)
		}
		w, err := r.Attach(id)
		if err != nil {
			t.Fatal(err)
		}
		master.Spawned(id, 1000+int(gen))
		w.SetState(StateReady)
		w.SetMemory(4096)
		w.ConnOpened()
		w.ConnOpened()
		w.ConnClosed()
		w.CountAnswer(1, Failed, 0)
		row := r.Slots()[0]
		want := SlotInfo{
			ID: id, PID: 1000 + int(gen), Owner: master.ID(), State: StateReady, Live: true,
			Requests: uint64(gen) + 1, Errors: uint64(gen) + 1, Connections: 1, Processes: uint64(gen) + 1, Restarts: uint64(gen), Memory: 4096,
			StartedAt: row.StartedAt, HeartbeatAge: row.HeartbeatAge,
		}
		if row != want {
			t.Fatalf("generation %d: %+v, want %+v", gen, row, want)
		}
		if gen%2 == 0 {
			_, err = master.Recover(id)
		} else {
			err = w.Detach()
		}
		if err != nil {
			t.Fatal(err)
		}
		if rows := r.Slots(); len(rows) != 1 || !rows[0].Master {
			t.Fatalf("generation %d is gone: %+v", gen, rows)
		}
	}
	if n := master.RequestsOf(0); n != generations {
		t.Fatalf("the slot counted %d requests, want %d", n, generations)
	}
}

// A worker goes by its own master's last word, and never by that of whoever has
// the master's slot next.
func TestOwnerState(t *testing.T) {
	t.Parallel()
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 2})
	master, worker := attached(t, r)
	for _, state := range []State{StateReady, StateStarting, StateDraining} {
		master.SetState(state)
		if got := worker.OwnerState(); got != state {
			t.Fatalf("%v, want %v", got, state)
		}
	}
	if err := master.Detach(); err != nil {
		t.Fatal(err)
	}
	if got := worker.OwnerState(); got != StateDraining {
		t.Fatalf("of a master that is gone: %v", got)
	}
	next, _, err := r.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	if got := worker.OwnerState(); got != 0 {
		t.Fatalf("of another master: %v", got)
	}
	if _, err := next.Recover(worker.ID()); err != nil {
		t.Fatal(err)
	}
}

// TestRecoverySaysWhatItMended: an entry that was killed and not unlinked, and units
// that were taken and not linked to, are told of with the time of the last beat.
func TestRecoverySaysWhatItMended(t *testing.T) {
	t.Parallel()
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 2})
	master, dead := attached(t, r)
	if _, err := dead.Set([]byte("a"), 1); err != nil {
		t.Fatal(err)
	}
	sh := holdLock(dead, "a")
	var k target
	var f found
	k.aim([]byte("a"), dead.seed)
	if _, err := sh.findLocked(&k, &f); err != nil || f.e == nil {
		t.Fatal(err)
	}
	put(&f.e.word, kindDead)
	first, n := sh.findRunLocked(3, 3)
	sh.useLocked(first, n)
	put(&sh.header.used, sh.header.used.Load()+n)
	put(&dead.slot.beat, now()-1500)
	done, err := master.Recover(dead.ID())
	if err != nil {
		t.Fatal(err)
	}
	if want := int64(n+lineUnits) * unitSize; done.Locks != 1 || done.Unlinked != 1 || done.Freed != want {
		t.Errorf("%+v, want 1 lock, 1 entry and %d bytes", done, want)
	}
	if done.Silent < 1500*time.Millisecond || done.Silent > time.Minute {
		t.Errorf("silent for %v", done.Silent)
	}
}

// TestStartOf: damage that no clock can have written is no time, which can be told.
func TestStartOf(t *testing.T) {
	t.Parallel()
	for ms, want := range map[uint64]int64{0: 0, 1_795_540_008_957: 1_795_540_008_957, lastStart: lastStart} {
		if got := startOf(ms); got.UnixMilli() != want {
			t.Errorf("%d ms became %v", ms, got)
		}
	}
	for _, ms := range []uint64{lastStart + 1, 1 << 63, 1<<64 - 1} {
		if got := startOf(ms); !got.IsZero() {
			t.Errorf("%d ms became %v", ms, got)
		}
		if _, err := startOf(ms).MarshalJSON(); err != nil {
			t.Error(err)
		}
	}
	if text := State(77).String(); text != "unknown" {
		t.Errorf("a state that there is not is %q", text)
	}
}
