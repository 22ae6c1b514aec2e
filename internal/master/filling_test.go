package master

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
)

// inside runs do on the region that the configuration names, with nobody else
// in it.
func inside(t *testing.T, cfg Config, do func(*shm.Store)) {
	t.Helper()
	region, err := shm.Open(cfg.Region)
	if err != nil {
		t.Fatal(err)
	}
	defer region.Close()
	store, _, err := region.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Detach()
	do(store)
	if report := region.Check(); !report.OK() {
		t.Errorf("%v", report.Violations)
	}
}

func mustSetArgs(t *testing.T, store *shm.Store, args string) {
	t.Helper()
	if _, err := store.SetArgs([]byte(args)); err != nil {
		t.Fatal(err)
	}
}

func wantArgs(t *testing.T, store *shm.Store, want string) {
	t.Helper()
	if args, err := store.Args(nil); err != nil || string(args) != want {
		t.Errorf("arguments are %.100s, %v; want %.100s", args, err, want)
	}
}

// namesIn are the keys of the region that the configuration names, in the order of
// a scan.
func namesIn(t *testing.T, cfg Config) (names []string) {
	t.Helper()
	inside(t, cfg, func(store *shm.Store) {
		var cursor []byte
		for {
			keys, next, err := store.Scan(nil, nil, cursor, 1000)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range keys {
				names = append(names, string(k.Key))
			}
			if cursor = next; cursor == nil {
				return
			}
		}
	})
	return names
}

// wantKeys asserts that the store has these keys and no other.
func wantKeys(t *testing.T, store *shm.Store, want ...string) {
	t.Helper()
	for _, key := range want {
		if _, err := store.Read(nil, []byte(key)); err != nil {
			t.Errorf("key %q: %v", key, err)
		}
	}
	keys, next, err := store.Scan(nil, nil, nil, 1000)
	for err == nil && next != nil {
		keys, next, err = store.Scan(keys, nil, next, 1000)
	}
	if err != nil || len(keys) != len(want) {
		t.Errorf("%d keys, %v; want %q", len(keys), err, want)
	}
}

func text(s string) shm.Value { return shm.BytesValue([]byte(s)) }

// TestPreloadAnyValue: what is there stays, what is not is set.
func TestPreloadAnyValue(t *testing.T) {
	cfg := testConfig(t)
	makeRegion(t, cfg, "there", 7)
	cfg.Preload = []Preload{{"there", text(`{"no":1}`)}, {"object", text(`{"a":[1,null]}`)}, {"large", text(`"` + strings.Repeat("x", 1<<20-2) + `"`)}}
	cfg.Args = []byte(`{"model":"x"}`)
	s := launch(t, cfg)
	s.addr()
	if err := s.end(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	inside(t, cfg, func(store *shm.Store) {
		wantArgs(t, store, `{"model":"x"}`)
		wantKeys(t, store, "there", "object", "large")
		if n, err := store.Get([]byte("there")); n != 7 || err != nil {
			t.Errorf("the key that was there: %d, %v", n, err)
		}
		if item, err := store.Read(nil, []byte("object")); err != nil || string(item.Bytes) != `{"a":[1,null]}` || item.TTL != 0 {
			t.Errorf("%+v, %v", item, err)
		}
	})
}

// TestFailedStartTakesContentBack: a start that fails after it has filled the
// region leaves keys and arguments as they were.
func TestFailedStartTakesContentBack(t *testing.T) {
	for before, after := range map[string]string{`{"old":1}`: `{"old":1}`, "": "{}"} {
		cfg := testConfig(t)
		makeRegion(t, cfg, "there", 7)
		if before != "" {
			inside(t, cfg, func(store *shm.Store) { mustSetArgs(t, store, before) })
		}
		cfg.Preload = []Preload{{"there", text(`1.5`)}, {"new", text(`{"a":1}`)}, {"counter", shm.IntegerValue(1)}}
		cfg.Args = []byte(`{"new":2}`)
		cfg.Environ = environ("cannot boot")
		if err := launch(t, cfg).over(); err == nil || !strings.Contains(err.Error(), "no such luck") {
			t.Errorf("error: %v", err)
		}
		inside(t, cfg, func(store *shm.Store) {
			wantArgs(t, store, after)
			wantKeys(t, store, "there")
		})
	}
}

// filled returns a master that has filled the region and started nobody.
func filled(t *testing.T, cfg Config) *Master {
	t.Helper()
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.settle(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.tenancy.leave(); err != nil {
			t.Error(err)
		}
	})
	if err := m.fill(); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestChangedContentIsNotTakenBack: what a client was told is there stays, even
// though the start that made it possible failed.
func TestChangedContentIsNotTakenBack(t *testing.T) {
	cfg := testConfig(t)
	makeRegion(t, cfg, "there", 7)
	inside(t, cfg, func(store *shm.Store) { mustSetArgs(t, store, `{"old":1}`) })
	cfg.Preload = []Preload{{"counted", shm.IntegerValue(1)}, {"replaced", text("null")}, {"removed", text("null")}, {"alone", text("null")}}
	cfg.Args = []byte(`{"new":2}`)
	m := filled(t, cfg)
	store := m.tenancy.store
	wantArgs(t, store, `{"new":2}`)
	wantKeys(t, store, "there", "counted", "replaced", "removed", "alone")
	if _, err := store.Add([]byte("counted"), 1, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put([]byte("replaced"), shm.Put{Value: text("null")}); err != nil {
		t.Fatal(err)
	}
	if err := store.Remove([]byte("removed"), shm.Condition{}); err != nil {
		t.Fatal(err)
	}
	mustSetArgs(t, store, `{"by":"a client"}`)
	if err := m.empty(); err != nil {
		t.Error(err)
	}
	wantKeys(t, store, "there", "counted", "replaced")
	wantArgs(t, store, `{"by":"a client"}`)
}

// TestArgsThatDoNotFit: neither the arguments nor the keys are changed.
func TestArgsThatDoNotFit(t *testing.T) {
	cfg := testConfig(t)
	cfg.RegionSize = 1 << 20
	makeRegion(t, cfg, "there", 7)
	inside(t, cfg, func(store *shm.Store) {
		mustSetArgs(t, store, `{"old":1}`)
		for n := 0; ; n++ {
			if _, err := store.Put(fmt.Appendf(nil, "filler %d", n), shm.Put{Value: text(`"` + strings.Repeat("x", 10_000) + `"`)}); err != nil {
				if !errors.Is(err, shm.ErrFull) {
					t.Fatal(err)
				}
				return
			}
		}
	})
	before := keysOf(t, cfg)
	cfg.Preload = []Preload{{"new", shm.IntegerValue(1)}}
	cfg.Args = []byte(`{"a":"` + strings.Repeat("x", 100_000) + `"}`)
	if err := launch(t, cfg).over(); !errors.Is(err, shm.ErrFull) || !strings.Contains(err.Error(), "--args") || !strings.Contains(err.Error(), "--fresh") {
		t.Errorf("error: %v", err)
	}
	inside(t, cfg, func(store *shm.Store) { wantArgs(t, store, `{"old":1}`) })
	if after := keysOf(t, cfg); after != before {
		t.Errorf("%d keys, %d before", after, before)
	}
}

func keysOf(t *testing.T, cfg Config) (n uint64) {
	t.Helper()
	region, err := shm.OpenReadOnly(cfg.Region)
	if err != nil {
		t.Fatal(err)
	}
	defer region.Close()
	return region.Stats().Entries
}

// TestContentLargerThanTheRegionHolds: known before anything is written.
func TestContentLargerThanTheRegionHolds(t *testing.T) {
	cfg := testConfig(t)
	cfg.RegionSize = 1 << 20
	makeRegion(t, cfg, "there", 7)
	before := content(t, cfg.Region)
	long := `"` + strings.Repeat("x", 1<<20-2) + `"`
	withPreload, withArgs := cfg, cfg
	withPreload.Preload = []Preload{{"first", shm.IntegerValue(1)}, {"long", text(long)}}
	withArgs.Args = []byte(long)
	for flag, cfg := range map[string]Config{`--preload: key "long"`: withPreload, "--args": withArgs} {
		err := launch(t, cfg).over()
		if !errors.Is(err, shm.ErrValueTooLarge) || !strings.Contains(err.Error(), flag) || !strings.Contains(err.Error(), cfg.Region) {
			t.Errorf("%s: %v", flag, err)
		}
		inside(t, cfg, func(store *shm.Store) { wantKeys(t, store, "there") })
	}
	if len(before) != len(content(t, cfg.Region)) {
		t.Error("the file was changed")
	}
}

// TestPreloadInACache: keys of others may be evicted for those of --preload,
// and are counted; those of --preload may not evict each other.
func TestPreloadInACache(t *testing.T) {
	cfg := testConfig(t)
	cfg.RegionSize, cfg.Evict = 1<<20, true
	makeRegion(t, cfg, "there", 7)
	inside(t, cfg, func(store *shm.Store) {
		for n := 0; ; n++ {
			if _, err := store.Put(fmt.Appendf(nil, "filler %d", n), shm.Put{Value: text(`"` + strings.Repeat("x", 10_000) + `"`)}); err != nil {
				return
			}
		}
	})
	value := text(`"` + strings.Repeat("y", 10_000) + `"`)
	for i := range 10 {
		cfg.Preload = append(cfg.Preload, Preload{fmt.Sprintf("preloaded %d", i), value})
	}
	s := launch(t, cfg)
	s.waitLog("evict=clock")
	s.waitLog("keys were evicted to make room for those of --preload")
	if err := s.end(unix.SIGTERM); err != nil {
		t.Error(err)
	}
	inside(t, cfg, func(store *shm.Store) {
		for _, p := range cfg.Preload {
			if item, err := store.Read(nil, []byte(p.Key)); err != nil || !bytes.Equal(item.Bytes, value.Bytes) {
				t.Errorf("%s: %v", p.Key, err)
			}
		}
	})
	for i := range 200 {
		cfg.Preload = append(cfg.Preload, Preload{fmt.Sprintf("more %d", i), value})
	}
	before := namesIn(t, cfg)
	if err := launch(t, cfg).over(); !errors.Is(err, shm.ErrFull) || !strings.Contains(err.Error(), "--preload") {
		t.Errorf("more keys than fit: %v", err)
	}
	if got := namesIn(t, cfg); !slices.Equal(got, before) {
		t.Errorf("a start that failed left %d keys of %d", len(got), len(before))
	}
}

// TestArgsBesidePreload: what fits together is there together, in a cache too.
func TestArgsBesidePreload(t *testing.T) {
	cfg := testConfig(t)
	cfg.RegionSize, cfg.Evict = 1<<20, true
	cfg.Args = []byte(`{"a":"` + strings.Repeat("x", 400_000) + `"}`)
	for i := range 40 {
		cfg.Preload = append(cfg.Preload, Preload{fmt.Sprintf("key %d", i), text(`"` + strings.Repeat("y", 10_000) + `"`)})
	}
	for range 2 { // and again over what is there
		s := launch(t, cfg)
		s.waitLog("evict=clock")
		if err := s.end(unix.SIGTERM); err != nil {
			t.Error(err)
		}
		if names := namesIn(t, cfg); len(names) != len(cfg.Preload) {
			t.Errorf("%d keys of %d are there", len(names), len(cfg.Preload))
		}
	}
	for i := range 40 {
		cfg.Preload = append(cfg.Preload, Preload{fmt.Sprintf("more %d", i), text(`"` + strings.Repeat("y", 10_000) + `"`)})
	}
	before := namesIn(t, cfg)
	if err := launch(t, cfg).over(); !errors.Is(err, shm.ErrFull) {
		t.Errorf("more than fits: %v", err)
	}
	if got := namesIn(t, cfg); !slices.Equal(got, before) {
		t.Errorf("a start that failed left %d keys of %d", len(got), len(before))
	}
}
