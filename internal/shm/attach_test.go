package shm

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// workerChild is a worker that does what it is told: slot, generation.
//
//	lock KEY   takes the lock of the key's shard and keeps it
//	add KEY    adds 1
func workerChild(args []string) error {
	s, err := attachChild(args)
	if err != nil {
		return err
	}
	fmt.Println("attached")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		command, key, _ := strings.Cut(in.Text(), " ")
		switch command {
		case "lock":
			holdLock(s, key)
			fmt.Println("locked")
		case "add":
			v, err := s.Add([]byte(key), 1, 0)
			if err != nil {
				return err
			}
			fmt.Println("added", v)
		}
	}
	return nil
}

// masterChild is a master with one worker, whose input and output are
// descriptor 4 and this process's own; it ends only by a signal or its
// lifeline.
func masterChild([]string) error {
	r, err := Inherit(os.NewFile(childRegionFD, "region"))
	if err != nil {
		return err
	}
	s, _, err := r.AttachMaster(false)
	if err != nil {
		return err
	}
	id, err := s.Claim(-1)
	if err != nil {
		return err
	}
	worker := childCommand(r.File(), "worker", id.Slot, id.Generation)
	worker.Stdin, worker.Stdout = os.NewFile(childRegionFD+1, "worker's input"), os.Stdout
	if err := worker.Start(); err != nil {
		return err
	}
	s.Spawned(id, worker.Process.Pid)
	fmt.Println("worker", worker.Process.Pid, id.Slot, id.Generation)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
	}
	return nil
}

// family is a master in another process, and its worker in a third.
type family struct {
	*child // the master; its lines are the worker's too
	input  *os.File
	pidfd  int
	worker int // pid
	id     ID  // of the worker
}

func startFamily(t *testing.T, r *Region) *family {
	t.Helper()
	theirs, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	c := &child{cmd: childCommand(r.File(), "master")}
	c.cmd.ExtraFiles = append(c.cmd.ExtraFiles, theirs)
	startPiped(t, c)
	f := &family{child: c, input: ours}
	t.Cleanup(func() { ours.Close() })
	// Master and worker write to one pipe, in either order.
	for n := 0; n < 2; n++ {
		if !c.lines.Scan() {
			t.Fatal("the master ended before its worker was attached")
		}
		if text := c.lines.Text(); text != "attached" {
			if _, err := fmt.Sscanf(text, "worker %d %d %d", &f.worker, &f.id.Slot, &f.id.Generation); err != nil {
				t.Fatalf("the master said %q: %v", text, err)
			}
		}
	}
	if f.pidfd, err = unix.PidfdOpen(f.worker, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(f.pidfd) })
	return f
}

// killWorker ends the worker, which is no child of this process, and waits
// until it is gone.
func (f *family) killWorker(t *testing.T) {
	t.Helper()
	if err := unix.PidfdSendSignal(f.pidfd, unix.SIGKILL, nil, 0); err != nil {
		t.Fatal(err)
	}
	f.workerGone(t)
}

func (f *family) workerGone(t *testing.T) {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(f.pidfd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, int(patience.Milliseconds()))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n != 1 || err != nil {
			t.Fatalf("the worker does not end: %v", err)
		}
		return
	}
}

func (f *family) tellWorker(t *testing.T, command string) {
	t.Helper()
	if _, err := fmt.Fprintln(f.input, command); err != nil {
		t.Fatal(err)
	}
}

// holdLock takes the lock of a key's shard and keeps it, as one does who dies.
func holdLock(s *Store, key string) *shard {
	var k target
	k.aim([]byte(key), s.seed)
	sh := s.shardOf(&k)
	if _, ok := acquire(&sh.header.lock, s.owner, patience); !ok {
		panic("the shard is locked already") // and nothing is pinned
	}
	unpin()
	return sh
}

// reopened is another open file description of the same region: a process of
// its own, as far as locks go. Closing it is that process's death.
func reopened(t testing.TB, r *Region) *Region {
	t.Helper()
	own, err := Open(r.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if own.bytes != nil {
			own.Close()
		}
	})
	return own
}

// die ends the process that a reopened region stands for.
func die(t testing.TB, r *Region) {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r.bytes = nil
}

// Not parallel, as TestLifeLocksBelongToTheDescription.
func TestAttachRefuses(t *testing.T) {
	for _, b := range backings {
		t.Run(b.name, func(t *testing.T) {
			r := b.make(t, Geometry{Size: MinSize, Slots: 3})
			master, _, err := r.AttachMaster(false)
			if err != nil {
				t.Fatal(err)
			}
			another := func() *Region {
				if r.file == nil {
					return r
				}
				return reopened(t, r)
			}
			id, err := master.Claim(1)
			if err != nil || id.Slot != 1 {
				t.Fatalf("Claim: %v, %v", id, err)
			}
			for name, wrong := range map[string]ID{
				"a later generation":   {1, id.Generation + 1},
				"an unclaimed slot":    {2, 0},
				"a negative slot":      {-1, 0},
				"a master's slot":      {3, 0},
				"the first of nothing": {3 + MasterSlots, 0},
			} {
				if _, err := another().Attach(wrong); !errors.Is(err, ErrSlotLost) {
					t.Errorf("%s: %v", name, err)
				}
			}
			first := another()
			if _, err := first.Attach(id); err != nil {
				t.Fatal(err)
			}
			if _, err := another().Attach(id); !errors.Is(err, ErrSlotLost) {
				t.Errorf("attached twice: %v", err)
			}
			if r.file != nil {
				if live, err := r.alive(r.file, id.Slot); !live || err != nil {
					t.Errorf("the refused process took the first one's proof of life: %v, %v", live, err)
				}
				die(t, first)
			}
			if _, err := master.Recover(id); err != nil {
				t.Fatal(err)
			}
			if _, err := another().Attach(id); !errors.Is(err, ErrSlotLost) {
				t.Errorf("after Recover: %v", err)
			}
			next, err := master.Claim(1)
			if err != nil || next != (ID{1, id.Generation + 1}) {
				t.Fatalf("the slot's next claim: %v, %v", next, err)
			}
			if _, err := another().Attach(id); !errors.Is(err, ErrSlotLost) {
				t.Errorf("the old generation of a slot claimed again: %v", err)
			}
			if _, err := another().Attach(next); err != nil {
				t.Errorf("the new generation: %v", err)
			}
		})
	}
}

// Not parallel: another test's fork keeps a closed description open until exec.
func TestLifeLocksBelongToTheDescription(t *testing.T) {
	r := mappedRegion(t, Geometry{Size: MinSize, Slots: 2})
	a, b := reopened(t, r), reopened(t, r)
	at := r.lifeByte(1)
	if ok, err := hold(a.file, at); !ok || err != nil {
		t.Fatalf("a free lock: %v, %v", ok, err)
	}
	if ok, err := hold(b.file, at); ok || err != nil {
		t.Fatalf("a second description of this process got the lock: %v, %v", ok, err)
	}
	if ok, err := held(b.file, at); !ok || err != nil {
		t.Fatalf("held, seen from another description: %v, %v", ok, err)
	}
	if ok, err := hold(b.file, r.lifeByte(0)); !ok || err != nil {
		t.Fatalf("the next slot's lock: %v, %v", ok, err)
	}
	die(t, a)
	if ok, err := hold(b.file, at); !ok || err != nil {
		t.Fatalf("the lock of a closed description: %v, %v", ok, err)
	}
}

func TestOneMasterUnlessJoined(t *testing.T) {
	t.Parallel()
	r := mappedRegion(t, Geometry{Size: MinSize, Slots: 2})
	if _, _, err := r.AttachMaster(true); !errors.Is(err, ErrNoMaster) {
		t.Fatalf("joining nobody: %v", err)
	}
	f := startFamily(t, r)
	_, _, err := r.AttachMaster(false)
	var inUse *InUseError
	if !errors.As(err, &inUse) || inUse.PID != f.cmd.Process.Pid || !errors.Is(err, ErrInUse) {
		t.Fatalf("beside the master with pid %d: %v", f.cmd.Process.Pid, err)
	}
	joined, done, err := r.AttachMaster(true)
	if err != nil || len(done) != 0 {
		t.Fatalf("join: %v, %v", done, err)
	}
	f.tellWorker(t, "add k")
	if n := f.expect(t, "added"); n[0] != 1 {
		t.Fatalf("the worker's first add: %d", n[0])
	}
	if v, err := joined.Add([]byte("k"), 1, 0); v != 2 || err != nil {
		t.Fatalf("the joined master's add: %d, %v", v, err)
	}
	if done, err := joined.Sweep(); len(done) != 0 || err != nil {
		t.Fatalf("a sweep among the living: %v, %v", done, err)
	}
	if err := joined.Detach(); err != nil {
		t.Fatal(err)
	}
	f.tellWorker(t, "add k")
	if n := f.expect(t, "added"); n[0] != 3 {
		t.Fatalf("after the other instance left: %d", n[0])
	}
	// Leave nothing for the final check to call unfinished.
	f.kill(t)
	f.killWorker(t)
}

func TestOrphans(t *testing.T) {
	t.Parallel()
	r := mappedRegion(t, Geometry{Size: MinSize, Slots: 2})
	f := startFamily(t, r)
	f.kill(t)
	_, _, err := r.AttachMaster(false)
	var orphans *OrphansError
	if !errors.As(err, &orphans) || len(orphans.PIDs) != 1 || orphans.PIDs[0] != f.worker || !errors.Is(err, ErrOrphans) {
		t.Fatalf("beside the orphan with pid %d: %v", f.worker, err)
	}
	if _, _, err := r.AttachMaster(true); !errors.Is(err, ErrNoMaster) {
		t.Fatalf("joining a dead master: %v", err)
	}
	f.tellWorker(t, "lock k")
	f.expect(t, "locked")
	f.killWorker(t)
	s, done, err := r.AttachMaster(false)
	if err != nil {
		t.Fatalf("after the orphan left: %v", err)
	}
	locks := 0
	for _, d := range done {
		locks += d.Locks
	}
	if locks != 1 {
		t.Fatalf("recovered %+v, want the orphan's lock among it", done)
	}
	if v, err := s.Add([]byte("k"), 1, 0); v != 1 || err != nil {
		t.Fatalf("%d, %v", v, err)
	}
}

// A master that joined repairs what the first one and its worker left, and
// those who wait for the dead worker's lock go on.
func TestSweep(t *testing.T) {
	t.Parallel()
	r := mappedRegion(t, Geometry{Size: MinSize, Slots: 4})
	f := startFamily(t, r)
	joined, _, err := r.AttachMaster(true)
	if err != nil {
		t.Fatal(err)
	}
	// Its mapping is left to the end of the process: where this test fails, the
	// survivor still waits in it.
	own, err := Open(r.path)
	if err != nil {
		t.Fatal(err)
	}
	id, err := joined.Claim(-1)
	if err != nil {
		t.Fatal(err)
	}
	survivor, err := own.Attach(id)
	if err != nil {
		t.Fatal(err)
	}
	f.tellWorker(t, "lock k")
	f.expect(t, "locked")
	added := make(chan error)
	go func() {
		_, err := survivor.Add([]byte("k"), 1, 0)
		added <- err
	}()
	lock := &r.shards[0].header.lock
	await(t, "the survivor to sleep on the lock", func() bool { return lock.Load()&waiters != 0 })

	f.kill(t)
	if done, err := joined.Sweep(); err != nil || len(done) != 1 || !isMaster(r, done[0].ID) {
		t.Fatalf("with the orphan alive: %+v, %v", done, err)
	}
	select {
	case err := <-added:
		t.Fatalf("the lock of a living process was taken away: %v", err)
	default:
	}
	f.killWorker(t)
	done, err := joined.Sweep()
	if err != nil || len(done) != 1 || done[0].ID != f.id || done[0].Locks != 1 || done[0].PID != f.worker {
		t.Fatalf("with everybody dead: %+v, %v; want %+v", done, err, f.id)
	}
	if err := <-added; err != nil {
		t.Fatal(err)
	}
	if done, err := joined.Sweep(); len(done) != 0 || err != nil {
		t.Fatalf("nothing is left to sweep: %+v, %v", done, err)
	}
}

func isMaster(r *Region, id ID) bool { return id.Slot >= int(r.sb.slots) }
