package command

import (
	"errors"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
)

func TestTTL(t *testing.T) {
	t.Parallel()
	c := newCommands(t)
	ttl := func(key string) time.Duration {
		item, err := c.Get(nil, []byte(key), Condition{})
		if err != nil {
			t.Errorf("%s: %v", key, err)
		}
		return item.TTL
	}
	between := func(what string, got, low, high time.Duration) {
		t.Helper()
		if got < low || got > high {
			t.Errorf("%s: %v, want %v to %v", what, got, low, high)
		}
	}
	for _, key := range []string{"i", "b"} {
		value := map[string]Value{"i": shm.IntegerValue(1), "b": shm.BytesValue([]byte(`{}`))}[key]
		put := func(ttl time.Duration) {
			t.Helper()
			if _, err := c.Put([]byte(key), value, ttl, Condition{}); err != nil {
				t.Fatal(err)
			}
		}
		patch := func(p Patch) Item {
			t.Helper()
			item, _, err := c.Patch(nil, []byte(key), p)
			if err != nil {
				t.Fatal(err)
			}
			return item
		}
		put(time.Hour)
		between("put with a ttl", ttl(key), 59*time.Minute, time.Hour)
		item := patch(Patch{Merge: []byte(`{"a":1}`)})
		between("a patch keeps it", ttl(key), 59*time.Minute, time.Hour)
		between("and returns it", item.TTL, 59*time.Minute, time.Hour)
		item = patch(Patch{Merge: []byte(`{"a":2}`), SetTTL: true, TTL: time.Minute})
		between("a patch sets it", ttl(key), 59*time.Second, time.Minute)
		between("and returns it", item.TTL, 59*time.Second, time.Minute)
		item = patch(Patch{Merge: []byte(`{"a":3}`), SetTTL: true})
		between("a patch removes it", ttl(key), 0, 0)
		between("and returns none", item.TTL, 0, 0)

		put(0)
		was := readJSON(c, key)
		item = patch(Patch{SetTTL: true, TTL: time.Hour})
		between("a patch of the ttl alone", ttl(key), 59*time.Minute, time.Hour)
		between("and returns it", item.TTL, 59*time.Minute, time.Hour)
		if got := jsonOf(&item, nil); got != was || readJSON(c, key) != was {
			t.Errorf("a patch of the ttl alone returned %s and left %s, of %s", got, readJSON(c, key), was)
		}
		now, err := c.Get(nil, []byte(key), Condition{})
		if err != nil || now.Version != item.Version {
			t.Errorf("a patch of the ttl alone returned the version %v, not %v, %v", item.Version, now.Version, err)
		}
		put(0)
		between("put without", ttl(key), 0, 0)
	}
	if _, _, err := c.Increment([]byte("n"), 1, 0, time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Increment([]byte("n"), 1, 0, time.Minute); err != nil {
		t.Fatal(err)
	}
	between("the increment that creates a key", ttl("n"), 59*time.Minute, time.Hour)
	if previous, err := c.Reset([]byte("n")); previous != 2 || err != nil {
		t.Errorf("reset: %d, %v", previous, err)
	}
	between("a reset", ttl("n"), 59*time.Minute, time.Hour)
}

// TestExpiry: a key whose time is over is as one that is not there.
func TestExpiry(t *testing.T) {
	t.Parallel()
	c := newCommands(t)
	for i := range 3 {
		key := []byte{'a' + byte(i)}
		if _, err := c.Put(key, shm.BytesValue([]byte("[]")), time.Millisecond, Condition{}); err != nil {
			t.Fatal(err)
		}
		for limit := time.Now().Add(10 * time.Second); readJSON(c, string(key)) == "[]"; {
			if time.Now().After(limit) {
				t.Fatal("it does not expire")
			}
		}
	}
	if err := c.Remove([]byte("a"), Condition{}); !errors.Is(err, shm.ErrNotFound) {
		t.Errorf("remove: %v", err)
	}
	if _, _, err := c.Patch(nil, []byte("b"), Patch{SetTTL: true, TTL: time.Hour}); !errors.Is(err, shm.ErrNotFound) {
		t.Errorf("a patch of the ttl: %v", err)
	}
	if _, effect, err := c.Patch(nil, []byte("b"), Patch{Merge: []byte(`{"b":1}`)}); !effect.Created || err != nil || readJSON(c, "b") != `{"b":1}` {
		t.Errorf("patch: %+v, %v, leaves %s", effect, err, readJSON(c, "b"))
	}
	for limit := time.Now().Add(10 * time.Second); c.Region().Expiring > 0; c.Sweep(time.Second) {
		if time.Now().After(limit) {
			t.Fatal("the sweep leaves expired keys")
		}
	}
	if r := c.Region(); r.Entries != 1 || r.Expiries == 0 {
		t.Errorf("%+v", r)
	}
}
