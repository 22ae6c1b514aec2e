package shm

import (
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// machine does random operations by several processes, and the same to a model.
type machine struct {
	model
	region *Region
	master *Store
	stores []*Store
	machineKind
	refusals, evictions *int
}

const (
	machineStores = 3
	roomLeft      = 5 << 10 // bytes beside the arguments of a region that is full
)

// machineKind is a region that a machine runs over.
type machineKind struct {
	name  string
	g     Geometry
	full  bool // arguments leave little room: what does not fit may be refused
	evict bool
}

var machineKinds = []machineKind{
	{name: "roomy", g: Geometry{Size: 4 << 20, Slots: machineStores}},
	{name: "full", g: Geometry{Size: MinSize, Slots: machineStores}, full: true},
	{name: "evicting", g: Geometry{Size: MinSize, Slots: machineStores}, full: true, evict: true},
}

func (kind machineKind) wasFull(t *testing.T, refusals, evictions int) {
	if !testing.Short() && (kind.full && refusals+evictions == 0 || kind.evict && evictions == 0) {
		t.Error("the region was never full: this run proves nothing")
	}
	t.Logf("%d writes were refused, %d keys evicted", refusals, evictions)
}

func newMachine(t *rapid.T, r *Region, kind machineKind, refusals, evictions *int) *machine {
	m := &machine{region: r, machineKind: kind, refusals: refusals, evictions: evictions}
	m.model = model{keys: map[string]kept{}, now: 1000, seen: map[string]map[Version]string{}, late: map[string]bool{}}
	r.clock = func() uint64 { return m.now }
	var err error
	if m.master, _, err = r.AttachMaster(false); err != nil {
		t.Fatal(err)
	}
	for range machineStores {
		id, err := m.master.Claim(-1)
		if err != nil {
			t.Fatal(err)
		}
		m.stores = append(m.stores, m.attach(t, id))
	}
	if kind.full {
		m.fill(t)
	}
	return m
}

// fill leaves room for little more, beside arguments and keys.
func (m *machine) fill(t *rapid.T) {
	sb := &m.region.sb
	most := capacityOf(sb.units - sb.units/reserveShare - lineUnits - runsCut)
	m.master.maxValue = most // beyond what could be replaced
	m.args = strings.Repeat("a", int(most)-roomLeft)
	_, err := m.master.SetArgs([]byte(m.args))
	wantError(t, "SetArgs", err, nil)
	for i, key := range machineKeys[:len(machineKeys)/2] {
		m.put(t, m.stores[0], key, Put{Value: BytesValue(make([]byte, 40*i))})
	}
}

// attach makes a process: of a mapped region, with a mapping of its own.
func (m *machine) attach(t *rapid.T, id ID) *Store {
	r := m.region
	if r.file != nil {
		var err error
		if r, err = Open(r.path); err != nil {
			t.Fatal(err)
		}
		r.clock = m.region.clock
	}
	s, err := r.Attach(id)
	if err != nil {
		t.Fatal(err)
	}
	s.SetPolicy(Policy{Evict: m.evict})
	return s
}

func (m *machine) close() {
	for _, s := range m.stores {
		if s.region != m.region {
			s.region.Close()
		}
	}
	m.region.Close()
}

func (m *machine) store(t *rapid.T) *Store {
	return m.stores[rapid.IntRange(0, len(m.stores)-1).Draw(t, "store")]
}

// verify reads a key by any store, and wants what the model says. It returns
// the version.
func (m *machine) verify(t *rapid.T, key string) Version {
	it, err := m.store(t).Read(nil, []byte(key))
	h, there := m.get(key)
	if !there {
		wantError(t, "Read", err, ErrNotFound)
		return Version{}
	}
	wantError(t, "Read", err, nil)
	m.same(t, key, h, it)
	return it.Version
}

// version is the one that a write gave which does not tell.
func (m *machine) version(t *rapid.T, key string) Version {
	it, err := m.store(t).Read(nil, []byte(key))
	wantError(t, "Read", err, nil)
	return it.Version
}

// refused accepts ErrFull from a region that is small.
func (m *machine) refused(t *rapid.T, err error, key string, n int) bool {
	if !m.full || !errors.Is(err, ErrFull) {
		return false
	}
	k := target{key: []byte(key)}
	need, st := k.units(&payload{bytes: make([]byte, n)}), m.region.Stats()
	// In the worst case each unit is an extent, of 24 bytes in place of 32.
	if free := uint64(st.Free) / unitSize; !m.evict && need*4/3+m.region.sb.units/reserveShare+lineUnits < free {
		t.Fatalf("refused %d units with %d free", need, free)
	}
	*m.refusals++
	m.verify(t, key)
	return true
}

// evicted takes the keys out of the model that a change evicted: as many as it
// says, and never what it wrote.
func (m *machine) evicted(t *rapid.T, n int, written string) {
	if n == 0 {
		return
	}
	if !m.evict {
		t.Fatalf("%d keys were evicted", n)
	}
	*m.evictions += n
	for _, key := range m.live() {
		if _, err := m.master.Read(nil, []byte(key)); errors.Is(err, ErrNotFound) && key != written {
			m.remove(key)
			n--
		}
	}
	for key := range m.late {
		delete(m.late, key) // expired ones go first, and are not counted
	}
	if n != 0 {
		t.Fatalf("%d more keys are said to be evicted than are gone", n)
	}
}

// overflows says whether a+b leaves the 64 bits, in arithmetic of its own.
func overflows(a, b int64) bool {
	return b > 0 && a > math.MaxInt64-b || b < 0 && a < math.MinInt64-b
}

// increment is what Add and Increment have in common.
func (m *machine) increment(t *rapid.T, key string, by, init int64, ttl time.Duration, n int64, did *Effect, err error) {
	h, there := m.get(key)
	base, expiry := h.n, h.expiry
	if !there {
		base, expiry = init, m.moment(ttl)
	}
	if did != nil {
		m.evicted(t, did.Evicted, key)
	}
	switch {
	case there && !h.integer:
		wantError(t, "Increment", err, ErrNotInteger)
	case overflows(base, by):
		wantError(t, "Increment", err, ErrOverflow)
	case m.refused(t, err, key, 0):
	default:
		wantError(t, "Increment", err, nil)
		version := m.version(t, key)
		if n != base+by || did != nil && (did.Created == there || did.Version != version) {
			t.Fatalf("Increment: %d, %+v; want %d, version %+v, created %v", n, did, base+by, version, !there)
		}
		m.write(t, key, IntegerValue(n), expiry, version)
	}
	m.verify(t, key)
}

func (m *machine) put(t *rapid.T, s *Store, key string, p Put) {
	h, there := m.get(key)
	meets := holdsOf(p.If, h, there)
	did, err := s.Put([]byte(key), p)
	m.evicted(t, did.Evicted, key)
	expiry := m.moment(p.TTL)
	if there && p.KeepTTL {
		expiry = h.expiry
	}
	switch {
	case did.Evicted > 0 && m.refused(t, err, key, len(p.Value.Bytes)): // at last, for the key was there at first
	case !meets:
		wantError(t, "Put", err, ErrCondition)
	case m.refused(t, err, key, len(p.Value.Bytes)):
	default:
		wantError(t, "Put", err, nil)
		if did.Created == there {
			t.Fatalf("Put: created %v, it was there: %v", did.Created, there)
		}
		m.write(t, key, p.Value, expiry, did.Version)
	}
	m.verify(t, key)
}

// replace ends one process and starts another in its place. An idle process's
// death changes nothing.
func (m *machine) replace(t *rapid.T, i int, detach bool) {
	s := m.stores[i]
	if detach {
		wantError(t, "Detach", s.Detach(), nil)
	}
	if s.region != m.region {
		wantError(t, "Close", s.region.Close(), nil)
	}
	if done, err := m.master.Recover(s.id); err != nil || done.Locks != 0 {
		t.Fatalf("recovering an idle process: %+v, %v", done, err)
	}
	next, err := m.master.Claim(s.id.Slot)
	if err != nil || next != (ID{s.id.Slot, s.id.Generation + 1}) {
		t.Fatalf("claimed %v, %v after %v", next, err, s.id)
	}
	m.stores[i] = m.attach(t, next)
}

// count compares the number of entries. What has expired may be there still.
func (m *machine) count(t *rapid.T) {
	live := len(m.live())
	if n := m.region.Stats().Entries; n < uint64(live) || n > uint64(live+len(m.late)) {
		t.Fatalf("%d entries, want %d, and %d that have expired", n, live, len(m.late))
	}
}

// check compares everything.
func (m *machine) check(t *rapid.T) {
	m.count(t)
	live := m.live()
	report, st := m.region.Check(), m.region.Stats()
	if !report.OK() || len(report.Pending) > 0 {
		t.Fatalf("%+v", report)
	}
	if st.Entries != report.Entries || uint64(st.Used) != report.Used {
		t.Fatalf("%+v, the check says %+v", st, report)
	}
	for _, key := range live {
		m.verify(t, key)
	}
	args, err := m.store(t).Args(nil)
	if err != nil || string(args) != m.args {
		t.Fatalf("arguments %s, %v; want %s", brief(string(args)), err, brief(m.args))
	}
}

// scan walks all keys with a prefix, each page by another store.
func (m *machine) scan(t *rapid.T, prefix string, limit int) {
	var got []string
	var page []Key
	var cursor []byte
	for pages := 0; ; pages++ {
		var err error
		page, cursor, err = m.store(t).Scan(page[:0], []byte(prefix), cursor, limit)
		if err != nil || len(page) > limit || pages > 2*len(machineKeys) {
			t.Fatalf("Scan: %d keys on page %d, limit %d, %v", len(page), pages, limit, err)
		}
		for _, k := range page {
			h, there := m.get(string(k.Key))
			want := Key{Key: k.Key, Integer: h.integer, Bytes: len(h.bytes), TTL: m.ttl(h)}
			if h.integer {
				want.Bytes = len(strconv.FormatInt(h.n, 10))
			} else if h.bytes != "" {
				want.First = h.bytes[0]
			}
			if !there || k.Integer != want.Integer || k.Bytes != want.Bytes || k.First != want.First || k.TTL != want.TTL {
				t.Fatalf("Scan: %+v, want %+v, %v", k, want, there)
			}
			got = append(got, string(k.Key))
		}
		if cursor == nil {
			break
		}
	}
	slices.Sort(got)
	want := slices.DeleteFunc(m.live(), func(key string) bool { return !strings.HasPrefix(key, prefix) })
	if !slices.Equal(got, want) {
		t.Fatalf("Scan found %d keys, want %d", len(got), len(want))
	}
}

// Whatever several processes do one after the other, the region is the map.
func TestStoreIsAMap(t *testing.T) {
	t.Parallel()
	for _, kind := range machineKinds {
		t.Run(kind.name+"/heap", func(t *testing.T) {
			t.Parallel()
			refusals, evictions := 0, 0
			rapid.Check(t, func(rt *rapid.T) {
				r, err := NewHeap(kind.g)
				if err != nil {
					rt.Fatal(err)
				}
				m := newMachine(rt, r, kind, &refusals, &evictions)
				rt.Repeat(m.actions())
				m.check(rt)
			})
			kind.wasFull(t, refusals, evictions)
		})
		t.Run(kind.name+"/mapped", func(t *testing.T) {
			t.Parallel()
			if testing.Short() {
				t.Skip("over the heap, which the race detector sees")
			}
			path, n := filepath.Join(t.TempDir(), "region"), 0
			refusals, evictions := 0, 0
			rapid.Check(t, func(rt *rapid.T) {
				n++
				r, err := Create(path+strconv.Itoa(n), kind.g)
				if err != nil {
					rt.Fatal(err)
				}
				m := newMachine(rt, r, kind, &refusals, &evictions)
				defer m.close()
				rt.Repeat(m.actions())
				m.check(rt)
			})
			kind.wasFull(t, refusals, evictions)
		})
	}
}
