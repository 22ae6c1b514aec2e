package shm

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// model is what a region has to look like: a map.
type model map[string]int64

// machine does random operations by several processes, and the same to a map.
type machine struct {
	region *Region
	master *Store
	stores []*Store
	model  model
	args   string
	hasArg bool
}

const machineStores = 3

func newMachine(t testing.TB, r *Region) *machine {
	m := &machine{region: r, model: model{}}
	var err error
	if m.master, _, err = r.AttachMaster(false); err != nil {
		t.Fatal(err)
	}
	for range machineStores {
		id, err := m.master.Claim(-1)
		if err != nil {
			t.Fatal(err)
		}
		s, err := r.Attach(id)
		if err != nil {
			t.Fatal(err)
		}
		m.stores = append(m.stores, s)
	}
	return m
}

// Few keys, so that they meet; of every class, some of one length.
var machineKeys = func() (keys []string) {
	for _, n := range []int{1, 2, 7, 8, 9, 15, 16, 17, 48, 49, 112, 113, 240, 241, 511, 512} {
		keys = append(keys, strings.Repeat("k", n), strings.Repeat("\x00", n))
	}
	return keys
}()

var machineValues = []int64{
	0, 1, -1, narrowMax, narrowMax - 1, narrowMax + 1, narrowMin, narrowMin - 1, narrowMin + 1,
	math.MaxInt64, math.MaxInt64 - 1, math.MinInt64, math.MinInt64 + 1,
}

func (m *machine) store(t *rapid.T) *Store {
	return m.stores[rapid.IntRange(0, len(m.stores)-1).Draw(t, "store")]
}

func drawKey(t *rapid.T) string { return rapid.SampledFrom(machineKeys).Draw(t, "key") }

func drawValue(t *rapid.T) int64 {
	return rapid.OneOf(rapid.SampledFrom(machineValues), rapid.Int64Range(-9, 9)).Draw(t, "value")
}

// overflows says whether a+b leaves the 64 bits, in arithmetic of its own.
func overflows(a, b int64) bool {
	return b > 0 && a > math.MaxInt64-b || b < 0 && a < math.MinInt64-b
}

func same(t *rapid.T, what string, got, want any, err, wantErr error) {
	if !errors.Is(err, wantErr) || err != nil && wantErr == nil || err == nil && got != want {
		t.Fatalf("%s: %v, %v; want %v, %v", what, got, err, want, wantErr)
	}
}

func (m *machine) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"add": func(t *rapid.T) {
			s, key, by, init := m.store(t), drawKey(t), drawValue(t), drawValue(t)
			base, there := m.model[key]
			if !there {
				base = init
			}
			got, err := s.Add([]byte(key), by, init)
			if overflows(base, by) {
				same(t, "Add", nil, nil, err, ErrOverflow)
				return
			}
			same(t, "Add", got, base+by, err, nil)
			m.model[key] = base + by
		},
		"get": func(t *rapid.T) {
			s, key := m.store(t), drawKey(t)
			got, err := s.Get([]byte(key))
			m.sameAsStored(t, "Get", key, got, err)
		},
		"set": func(t *rapid.T) {
			s, key, v := m.store(t), drawKey(t), drawValue(t)
			_, there := m.model[key]
			created, err := s.Set([]byte(key), v)
			same(t, "Set", created, !there, err, nil)
			m.model[key] = v
		},
		"set if absent": func(t *rapid.T) {
			s, key, v := m.store(t), drawKey(t), drawValue(t)
			_, there := m.model[key]
			created, err := s.SetIfAbsent([]byte(key), v)
			same(t, "SetIfAbsent", created, !there, err, nil)
			if created {
				m.model[key] = v
			}
		},
		"take": func(t *rapid.T) {
			s, key := m.store(t), drawKey(t)
			got, err := s.Take([]byte(key))
			m.sameAsStored(t, "Take", key, got, err)
			if err == nil {
				m.model[key] = 0
			}
		},
		"delete": func(t *rapid.T) {
			s, key := m.store(t), drawKey(t)
			got, err := s.Delete([]byte(key))
			m.sameAsStored(t, "Delete", key, got, err)
			delete(m.model, key)
		},
		"arguments": func(t *rapid.T) {
			m.args, m.hasArg = rapid.StringN(0, 20, -1).Draw(t, "arguments"), true
			if err := m.store(t).SetArgs([]byte(m.args)); err != nil {
				t.Fatal(err)
			}
		},
		"replace a process": func(t *rapid.T) {
			i := rapid.IntRange(0, len(m.stores)-1).Draw(t, "store")
			m.replace(t, i, rapid.Bool().Draw(t, "leaves by itself"))
		},
		"check": m.check,
	}
}

func (m *machine) sameAsStored(t *rapid.T, what, key string, got int64, err error) {
	if v, there := m.model[key]; there {
		same(t, what, got, v, err, nil)
	} else {
		same(t, what, nil, nil, err, ErrNotFound)
	}
}

// replace ends one process and starts another in its place. An idle process's
// death changes nothing.
func (m *machine) replace(t *rapid.T, i int, detach bool) {
	id := m.stores[i].ID()
	if detach {
		if err := m.stores[i].Detach(); err != nil {
			t.Fatal(err)
		}
	} else if m.region.file != nil {
		if err := letGo(m.region.file, m.region.lifeByte(id.Slot)); err != nil {
			t.Fatal(err)
		}
	}
	if done, err := m.master.Recover(id); err != nil || done.Locks+done.Replayed != 0 {
		t.Fatalf("recovering an idle process: %+v, %v", done, err)
	}
	next, err := m.master.Claim(id.Slot)
	if err != nil || next != (ID{id.Slot, id.Generation + 1}) {
		t.Fatalf("claimed %v, %v after %v", next, err, id)
	}
	if m.stores[i], err = m.region.Attach(next); err != nil {
		t.Fatal(err)
	}
}

// check compares everything.
func (m *machine) check(t *rapid.T) {
	report := m.region.Check()
	if !report.OK() || len(report.Pending) > 0 || report.Entries != uint64(len(m.model)) {
		t.Fatalf("%+v, want %d entries", report, len(m.model))
	}
	for key, want := range m.model {
		got, err := m.master.Get([]byte(key))
		same(t, fmt.Sprintf("the value of a key of %d bytes", len(key)), got, want, err, nil)
	}
	args, err := m.master.Args(nil)
	if err != nil || string(args) != m.args || (args != nil) != m.hasArg && m.args != "" {
		t.Fatalf("arguments %q, %v; want %q", args, err, m.args)
	}
}

// Whatever several processes do one after the other, the region is the map.
func TestStoreIsAMap(t *testing.T) {
	t.Parallel()
	t.Run("heap", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			r, err := NewHeap(Geometry{Size: 4 << 20, Slots: machineStores})
			if err != nil {
				rt.Fatal(err)
			}
			m := newMachine(t, r)
			rt.Repeat(m.actions())
			m.check(rt)
		})
	})
	t.Run("mapped", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "region")
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			n++
			r, err := Create(fmt.Sprint(path, n), Geometry{Size: 4 << 20, Slots: machineStores})
			if err != nil {
				rt.Fatal(err)
			}
			defer r.Close()
			m := newMachine(t, r)
			rt.Repeat(m.actions())
			m.check(rt)
		})
	})
}
