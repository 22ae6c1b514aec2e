package shm

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// stoppedKey is the document that the process writes which is stopped.
var stoppedKey = []byte("stopped")

// putterChild puts one long document after the other, so that it is in a
// critical section most of the time: slot, generation, ledger.
func putterChild(args []string) error {
	s, err := attachChild(args)
	if err != nil {
		return err
	}
	pages, err := openLedger(args[2])
	if err != nil {
		return err
	}
	p, value := pages[0], []byte(nil)
	fmt.Println("attached")
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	for seq := p[atSeq].Load() + 1; ; seq++ {
		if docSize(seq) < 50_000 {
			continue
		}
		value = document(stoppedKey, seq, value[:0])
		p[atSeq].Store(seq)
		if _, err := s.Put(stoppedKey, Put{Value: BytesValue(value)}); err != nil {
			return err
		}
		p[atDoc].Store(seq)
	}
}

// stopInside stops the child at a moment when it holds the lock.
func stopInside(t *testing.T, c *child, sh *shard, id ID) {
	t.Helper()
	pid := c.cmd.Process.Pid
	await(t, "the process to be stopped with the lock", func() bool {
		if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		var status unix.WaitStatus
		for {
			if _, err := unix.Wait4(pid, &status, unix.WUNTRACED, nil); !errors.Is(err, unix.EINTR) {
				break
			}
		}
		if !status.Stopped() {
			t.Fatalf("the process ended: %v", status)
		}
		if sh.header.lock.Load()&^waiters == lockOwner(id) {
			return true
		}
		if err := unix.Kill(pid, unix.SIGCONT); err != nil {
			t.Fatal(err)
		}
		return false
	})
}

// A process that is stopped inside a critical section stops nobody but those
// who want the same lock: other shards go on, and in its own all that needs no
// lock. When it was killed and recovered, that shard goes on too, and what it
// had acknowledged is there. Not parallel: it sets lockLook.
func TestStoppedInside(t *testing.T) {
	was := lockLook
	lockLook = patience
	t.Cleanup(func() { lockLook = was })
	r := mappedRegion(t, Geometry{Size: 16 << 20, Slots: 4})
	master, s := attached(t, r)
	var k target
	k.aim(stoppedKey, s.seed)
	sh := s.shardOf(&k)
	here, elsewhere := keysByShard(s, sh, 20)
	for _, key := range here {
		if _, err := s.Set(key, 1); err != nil {
			t.Fatal(err)
		}
	}
	ledger := filepath.Join(t.TempDir(), "ledger")
	pages, err := openLedger(ledger)
	if err != nil {
		t.Fatal(err)
	}
	rounds := 8
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		id, err := master.Claim(-1)
		if err != nil {
			t.Fatal(err)
		}
		c := startChild(t, r, "putter", id.Slot, id.Generation, ledger)
		c.expect(t, "attached")
		await(t, "a first document", func() bool { return pages[0][atDoc].Load() > 0 })
		stopInside(t, c, sh, id)

		acked, begun := pages[0][atDoc].Load(), pages[0][atSeq].Load()
		seen := stoppedDocument(t, s, acked, begun)
		for i, key := range here {
			if v, err := s.Add(key, 1, 0); err != nil || v != int64(2+round) {
				t.Errorf("an add in its shard: %d, %v", v, err)
			}
			if v, err := s.Get(key); err != nil || v != int64(2+round) {
				t.Errorf("a read in its shard: %d, %v", v, err)
			}
			other := elsewhere[i]
			if _, err := s.Put(other, Put{Value: BytesValue(document(other, 1, nil))}); err != nil {
				t.Errorf("a put in another shard: %v", err)
			}
			if err := s.Remove(other, Condition{Present: true}); err != nil {
				t.Errorf("a removal in another shard: %v", err)
			}
		}
		blocked := make(chan error, 1)
		newcomer := fmt.Appendf(nil, "newcomer %d", round)
		for !inShard(s, newcomer, sh) {
			newcomer = append(newcomer, '.')
		}
		go func() {
			_, err := s.Set(newcomer, 1)
			blocked <- err
		}()
		await(t, "somebody to sleep on the lock", func() bool { return sh.header.lock.Load()&waiters != 0 })
		select {
		case err := <-blocked:
			t.Fatalf("a change in a shard that is locked: %v", err)
		default:
		}

		c.kill(t)
		done, err := master.Recover(id)
		if err != nil || done.Locks != 1 {
			t.Fatalf("recovered %+v, %v", done, err)
		}
		if err := <-blocked; err != nil {
			t.Errorf("the change that was blocked: %v", err)
		}
		if now := stoppedDocument(t, s, acked, begun); now != seen {
			t.Errorf("document %d was there while the process was stopped, %d is there when it was recovered", seen, now)
		}
		pages[0][atDoc].Store(seen)
		for _, key := range here {
			if v, err := s.Get(key); err != nil || v != int64(2+round) {
				t.Errorf("after the recovery: %d, %v", v, err)
			}
		}
	}
}

// stoppedDocument is the one that is there: the last that was acknowledged, or
// the one in flight.
func stoppedDocument(t *testing.T, s *Store, acked, begun uint64) (seq uint64) {
	t.Helper()
	seq, _, err := readDocument(s, stoppedKey)
	if err != nil || seq != acked && seq != begun {
		t.Errorf("document %d is there (%v), %d was acknowledged and %d begun", seq, err, acked, begun)
	}
	return seq
}

func inShard(s *Store, key []byte, sh *shard) bool {
	var k target
	k.aim(key, s.seed)
	return s.shardOf(&k) == sh
}

// keysByShard returns n keys in a shard and n in others.
func keysByShard(s *Store, sh *shard, n int) (here, elsewhere [][]byte) {
	for i := 0; len(here) < n || len(elsewhere) < n; i++ {
		key := fmt.Appendf(nil, "key %d", i)
		if inShard(s, key, sh) {
			here = append(here, key)
		} else {
			elsewhere = append(elsewhere, key)
		}
	}
	return here, elsewhere
}
