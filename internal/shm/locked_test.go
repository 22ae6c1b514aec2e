package shm

import (
	"errors"
	"testing"
	"time"
)

// A change whose shard is held by somebody who does not go on is given up, and
// the next one at once; the shard is used again as soon as the lock is free.
// Reads and adds to counters that exist never wait.
func TestLockOfSomebodyWhoDoesNotGoOn(t *testing.T) {
	look, patience := lockLook, lockPatience
	lockLook, lockPatience = 10*time.Millisecond, time.Millisecond
	defer func() { lockLook, lockPatience = look, patience }()
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 2})
	master, s := attached(t, r)
	if _, err := s.Set([]byte("counter"), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put([]byte("object"), Put{Value: BytesValue([]byte("{}"))}); err != nil {
		t.Fatal(err)
	}
	stopped := newWorker(t, r, master)
	sh := holdLock(stopped, "counter")
	for name, do := range map[string]func() error{
		"put":       func() error { _, err := s.Put([]byte("new"), Put{Value: BytesValue(nil)}); return err },
		"increment": func() error { _, err := s.Add([]byte("new"), 1, 0); return err },
		"remove":    func() error { return s.Remove([]byte("object"), Condition{}) },
		"set TTL":   func() error { _, err := s.SetTTL([]byte("object"), time.Hour, Condition{}); return err },
	} {
		if err := do(); !errors.Is(err, ErrLocked) {
			t.Errorf("%s while the shard is locked: %v", name, err)
		}
	}
	if _, err := s.Add([]byte("counter"), 1, 0); err != nil {
		t.Errorf("add: %v", err)
	}
	if _, err := s.Read(nil, []byte("object")); err != nil {
		t.Errorf("read: %v", err)
	}
	surrender(&sh.header.lock)
	if _, err := s.Put([]byte("new"), Put{Value: BytesValue(nil)}); err != nil {
		t.Errorf("put when the lock is free: %v", err)
	}
}

// Somebody who waits behind holders who do go on is never given up.
func TestLockOfThoseWhoGoOn(t *testing.T) {
	look, patience := lockLook, lockPatience
	lockLook, lockPatience = 100*time.Millisecond, time.Millisecond
	defer func() { lockLook, lockPatience = look, patience }()
	r := heapRegion(t, Geometry{Size: MinSize, Slots: 2})
	master, s := attached(t, r)
	other := newWorker(t, r, master)
	sh := &r.shards[0]
	if !cas32(&sh.header.lock, 0, other.owner) {
		t.Fatal("the lock is not free")
	}
	done := make(chan error)
	go func() { _, err := s.Put([]byte("k"), Put{Value: BytesValue(nil)}); done <- err }()
	for end := time.Now().Add(2 * lockLooks * lockLook); time.Now().Before(end); time.Sleep(lockLook / 50) {
		sh.header.versions.Add(1) // as a change does
		select {
		case err := <-done:
			t.Fatalf("given up: %v", err)
		default:
		}
	}
	surrender(&sh.header.lock)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
