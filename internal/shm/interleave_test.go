//go:build crashpoints

package shm

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// oneOp is an operation on the one key of the test; it tells what it returned.
type oneOp struct {
	name string
	do   func(s *Store, key []byte, was Version) string
	two  bool // it is two, between which another one may come
}

func told(values ...any) string { return fmt.Sprintln(values...) }

var oneOps = []oneOp{
	{"add", func(s *Store, key []byte, _ Version) string { n, err := s.Add(key, 5, 100); return told(n, err) }, false},
	{"add below", func(s *Store, key []byte, _ Version) string { n, err := s.Add(key, -5, 100); return told(n, err) }, false},
	{"add beyond", func(s *Store, key []byte, _ Version) string { n, err := s.Add(key, narrowMax, 0); return told(n, err) }, false},
	{"get", func(s *Store, key []byte, _ Version) string { n, err := s.Get(key); return told(n, err) }, false},
	{"read", func(s *Store, key []byte, _ Version) string { return seen(s, key) }, false},
	{"take", func(s *Store, key []byte, _ Version) string { n, err := s.Take(key); return told(n, err) }, false},
	{"delete", func(s *Store, key []byte, _ Version) string { n, err := s.Delete(key); return told(n, err) }, false},
	{"remove", func(s *Store, key []byte, was Version) string {
		return told(s.Remove(key, Condition{Match: []Version{was}}))
	}, false},
	{"set", func(s *Store, key []byte, _ Version) string {
		did, err := s.Put(key, Put{Value: IntegerValue(70), KeepTTL: true})
		return told(did.Created, err)
	}, false},
	{"set for ever", func(s *Store, key []byte, _ Version) string {
		created, err := s.Set(key, 71)
		return told(created, err)
	}, false},
	{"put bytes", func(s *Store, key []byte, _ Version) string {
		did, err := s.Put(key, Put{Value: BytesValue(bytes.Repeat([]byte{0xf1}, 2000)), KeepTTL: true})
		return told(did.Created, err)
	}, false},
	{"put bytes in its place", func(s *Store, key []byte, was Version) string {
		did, err := s.Put(key, Put{Value: BytesValue([]byte("swapped")), If: Condition{Match: []Version{was}}})
		return told(did.Created, err)
	}, false},
	{"add under the lock", func(s *Store, key []byte, _ Version) string {
		var k target
		k.aim(key, s.seed)
		n, did, err := s.addLocking(s.shardOf(&k), &k, 5, 100, 0)
		return told(n, did.Created, err)
	}, false},
	{"take under the lock", func(s *Store, key []byte, _ Version) string {
		var k target
		k.aim(key, s.seed)
		n, err := s.takeLocking(s.shardOf(&k), &k)
		return told(n, err)
	}, false},
	{"another key in its place", func(s *Store, key []byte, _ Version) string {
		if _, err := s.Get(key); err != nil {
			return told(err)
		}
		n, err := s.Delete(key)
		if err != nil {
			return told(n, err)
		}
		created, err := s.Set(otherKey, 10)
		return told(n, created, err)
	}, true},
	{"set ttl", func(s *Store, key []byte, was Version) string {
		it, err := s.SetTTL(key, time.Hour, Condition{Match: []Version{was}})
		return told(it.Int, it.TTL, err)
	}, false},
	{"clear ttl", func(s *Store, key []byte, _ Version) string {
		it, err := s.SetTTL(key, 0, Condition{})
		return told(it.Int, it.TTL, err)
	}, false},
}

var otherKey = []byte("another key, as long")

// seen is all of the key but its version.
func seen(s *Store, key []byte) string {
	it, err := s.Read(nil, key)
	return told(show(it.Value), it.TTL, err)
}

var oneStates = map[string]func(s *Store, key []byte) error{
	"absent":    func(s *Store, key []byte) error { return nil },
	"narrow":    func(s *Store, key []byte) error { _, err := s.Set(key, 10); return err },
	"wide":      func(s *Store, key []byte) error { _, err := s.Set(key, narrowMax+10); return err },
	"at an end": func(s *Store, key []byte) error { _, err := s.Set(key, narrowMax-2); return err },
	"expiring": func(s *Store, key []byte) error {
		_, err := s.Put(key, Put{Value: IntegerValue(10), TTL: time.Minute})
		return err
	},
	"bytes": func(s *Store, key []byte) error {
		_, err := s.Put(key, Put{Value: BytesValue(bytes.Repeat([]byte{0x8e}, 1700))})
		return err
	},
}

// oneStage is two processes of a region with one key.
type oneStage struct {
	t    *testing.T
	a, b *Store
	key  []byte
}

// reset puts the key in a state, and returns its version.
func (o *oneStage) reset(state string) Version {
	o.t.Helper()
	for _, key := range [][]byte{o.key, otherKey} {
		if err := o.a.Remove(key, Condition{}); err != nil && !errors.Is(err, ErrNotFound) {
			o.t.Fatal(err)
		}
	}
	if err := oneStates[state](o.a, o.key); err != nil {
		o.t.Fatal(err)
	}
	it, err := o.a.Read(nil, o.key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		o.t.Fatal(err)
	}
	return it.Version
}

// toldBoth is what two operations told, and what was there in the end.
type toldBoth struct{ x, y, end string }

// serial does one after the other.
func (o *oneStage) serial(state string, x, y oneOp) (got toldBoth) {
	was := o.reset(state)
	got.x = x.do(o.a, o.key, was)
	got.y = y.do(o.b, o.key, was)
	got.end = seen(o.a, o.key) + seen(o.a, otherKey)
	return got
}

// within does y before one store of x. It is over when x has fewer stores. y
// does not get far when it has to wait; then it comes after.
func (o *oneStage) within(state string, x, y oneOp, step int) (got toldBoth, waited, over bool) {
	was := o.reset(state)
	at := 0
	hook := func() {
		if at++; at == step {
			crashHook = nil
			got.y = y.do(o.b, o.key, was)
		}
	}
	crashHook = hook
	got.x = x.do(o.a, o.key, was)
	crashHook = nil
	if waited = strings.Contains(got.y, ErrLocked.Error()); waited {
		got.y = y.do(o.b, o.key, was)
	}
	got.end = seen(o.a, o.key) + seen(o.a, otherKey)
	return got, waited, at < step
}

// Before each store of an operation another process does one on the same key,
// as far as it needs no lock. What both are told, and what is there in the end,
// is as if one had come after the other.
func TestCrashPointsInterleave(t *testing.T) {
	look, sleep := lockLook, lockPatience
	lockLook, lockPatience = 0, time.Microsecond // who waits for a lock gives up
	t.Cleanup(func() { lockLook, lockPatience, crashHook = look, sleep, nil })
	r, err := NewHeap(Geometry{Size: MinSize, Slots: 2})
	if err != nil {
		t.Fatal(err)
	}
	r.clock = func() uint64 { return 1000 }
	master, a := attached(t, r)
	o := &oneStage{t: t, a: a, b: newWorker(t, r, master), key: []byte("one key, and a long one")}
	runs, within := 0, 0
	for state := range oneStates {
		for _, x := range oneOps {
			if x.two {
				continue
			}
			for _, y := range oneOps {
				before, after := o.serial(state, y, x), o.serial(state, x, y)
				before.x, before.y = before.y, before.x
				for step := 1; ; step++ {
					got, waited, over := o.within(state, x, y, step)
					if over {
						break
					}
					if runs++; !waited {
						within++
					}
					if got != before && got != after {
						t.Fatalf("%s, store %d of %q beside %q: %.200q; want %.200q or %.200q", state, step, x.name, y.name, got, before, after)
					}
				}
			}
		}
		if report := r.Check(); !report.OK() {
			t.Fatalf("%s: %+v", state, report)
		}
	}
	t.Logf("%d interleavings, %d of them within the other operation", runs, within)
	if within < runs/10 {
		t.Error("hardly any ran within another one: this run proves nothing")
	}
}
