package shm

import (
	"testing"
	"time"
)

// without makes sleepers wait for their wake-up alone: what the patience would
// hide, hangs. Not for parallel tests.
func withoutPatience(t *testing.T) {
	was := lockPatience
	lockPatience = time.Hour
	t.Cleanup(func() { lockPatience = was })
}

// twoMappings is one region mapped twice, as by two processes: the same word
// has two addresses, which only a shared futex takes for one.
func twoMappings(t *testing.T) (master, a, b *Store) {
	r := mappedRegion(t, Geometry{Size: MinSize, Slots: 4})
	master, a = attached(t, r)
	return master, a, newWorker(t, r, master)
}

// sleepers starts n goroutines that want the lock, each as a process of its
// own, and returns when all of them sleep for it.
func sleepers(t *testing.T, s *Store, n int) (woken chan struct{}) {
	t.Helper()
	woken = make(chan struct{}, n)
	lock := &s.region.shards[0].header.lock
	for range n {
		go func() {
			acquire(lock, s.owner, patience)
			release(lock)
			woken <- struct{}{}
		}()
	}
	for deadline := time.Now().Add(time.Minute); lock.Load()&waiters == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody sleeps")
		}
	}
	time.Sleep(50 * time.Millisecond) // from the waiters bit into the kernel; too short only weakens the test
	return woken
}

func wantWoken(t *testing.T, woken chan struct{}, n int) {
	t.Helper()
	for range n {
		select {
		case <-woken:
		case <-time.After(20 * time.Second):
			t.Fatal("a sleeper was not woken")
		}
	}
}

// Each release wakes a sleeper, and each of them the next.
func TestReleaseWakes(t *testing.T) {
	withoutPatience(t)
	_, a, b := twoMappings(t)
	lock := &a.region.shards[0].header.lock
	acquire(lock, a.owner, patience)
	unpin()
	woken := sleepers(t, b, 3)
	pin()
	release(lock)
	wantWoken(t, woken, 3)
}

// Recover wakes those who sleep for a lock of the dead, and those who sleep for
// a free lock because the dead did not come to waking them.
func TestRecoverWakes(t *testing.T) {
	for _, c := range []struct {
		name string
		die  func(a *Store)
	}{
		{"holding the lock", func(*Store) {}},
		{"between unlock and wake", func(a *Store) { a.region.shards[0].header.lock.Store(0) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			withoutPatience(t)
			master, a, b := twoMappings(t)
			acquire(&a.region.shards[0].header.lock, a.owner, patience)
			unpin()
			woken := sleepers(t, b, 3)
			c.die(a)
			if _, err := master.Recover(a.id); err != nil {
				t.Fatal(err)
			}
			wantWoken(t, woken, 3)
		})
	}
}

// The arguments are in a shard as any key, and come back with it.
func TestRecoverOfTheArgumentsShard(t *testing.T) {
	master, a, b := twoMappings(t)
	if _, err := a.SetArgs([]byte("[]")); err != nil {
		t.Fatal(err)
	}
	holdLock(a, "")
	done, err := master.Recover(a.id)
	if err != nil || done.Locks != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	if args, err := b.Args(nil); err != nil || string(args) != "[]" {
		t.Fatalf("%q, %v", args, err)
	}
	if _, err := b.SetArgs([]byte("{}")); err != nil {
		t.Fatal(err)
	}
}
