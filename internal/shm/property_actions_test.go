package shm

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// actions are what a machine does, one at a time.
func (m *machine) actions() map[string]func(*rapid.T) {
	putBytes := func(t *rapid.T) {
		key := drawKey(t)
		m.put(t, m.store(t), key, m.drawPut(t, key, BytesValue(drawBytes(t, 100<<10))))
	}
	return map[string]func(*rapid.T){
		"add": func(t *rapid.T) {
			s, key, by, init := m.store(t), drawKey(t), drawInteger(t), drawInteger(t)
			if m.evict {
				return // what it evicts it does not tell
			}
			n, err := s.Add([]byte(key), by, init)
			m.increment(t, key, by, init, 0, n, nil, err)
		},
		"increment": func(t *rapid.T) {
			s, key, by, init, ttl := m.store(t), drawKey(t), drawInteger(t), drawInteger(t), drawTTL(t)
			n, did, err := s.Increment([]byte(key), by, init, ttl)
			m.increment(t, key, by, init, ttl, n, &did, err)
		},
		"get": func(t *rapid.T) {
			s, key := m.store(t), drawKey(t)
			n, err := s.Get([]byte(key))
			m.counter(t, "Get", key, n, err)
		},
		"put an integer": func(t *rapid.T) {
			key := drawKey(t)
			m.put(t, m.store(t), key, m.drawPut(t, key, IntegerValue(drawInteger(t))))
		},
		"put bytes": putBytes, "put more bytes": putBytes, "put bytes again": putBytes,
		"set if absent": func(t *rapid.T) {
			s, key, v := m.store(t), drawKey(t), drawInteger(t)
			if m.evict {
				return // what it evicts it does not tell
			}
			_, there := m.get(key)
			created, err := s.SetIfAbsent([]byte(key), v)
			if !m.refused(t, err, key, 0) {
				wantError(t, "SetIfAbsent", err, nil)
				if created == there {
					t.Fatalf("SetIfAbsent: created %v, it was there: %v", created, there)
				}
			}
			if created {
				m.write(t, key, IntegerValue(v), 0, m.version(t, key))
			}
			m.verify(t, key)
		},
		"take": func(t *rapid.T) {
			s, key := m.store(t), drawKey(t)
			n, err := s.Take([]byte(key))
			if m.counter(t, "Take", key, n, err) {
				m.write(t, key, IntegerValue(0), m.keys[key].expiry, m.version(t, key))
			}
			m.verify(t, key)
		},
		"delete": func(t *rapid.T) {
			s, key := m.store(t), drawKey(t)
			n, err := s.Delete([]byte(key))
			if m.counter(t, "Delete", key, n, err) {
				m.remove(key)
			}
			m.verify(t, key)
		},
		"remove": func(t *rapid.T) {
			s, key := m.store(t), drawKey(t)
			c := m.drawCondition(t, key)
			h, there := m.get(key)
			err := s.Remove([]byte(key), c)
			switch {
			case !holdsOf(c, h, there):
				wantError(t, "Remove", err, ErrCondition)
			case !there:
				wantError(t, "Remove", err, ErrNotFound)
			default:
				wantError(t, "Remove", err, nil)
				m.remove(key)
			}
			m.verify(t, key)
		},
		"set ttl":           m.setTTL,
		"advance the clock": m.advance,
		"sweep": func(t *rapid.T) {
			m.now += sweepPause
			m.live() // moves what has expired to late
			n := m.store(t).SweepExpired(time.Hour)
			if n > len(m.late) {
				t.Fatalf("%d keys were swept, %d had expired", n, len(m.late))
			}
			clear(m.late)
			m.count(t)
		},
		"scan": func(t *rapid.T) {
			key := drawKey(t)
			m.scan(t, key[:rapid.IntRange(0, min(len(key), 2)).Draw(t, "prefix")], rapid.IntRange(1, 12).Draw(t, "limit"))
		},
		"remove a prefix": func(t *rapid.T) {
			prefix := drawKey(t)
			s, want := m.store(t), 0
			for _, key := range m.live() {
				if strings.HasPrefix(key, prefix) {
					m.remove(key)
					want++
				}
			}
			if n, err := s.RemovePrefix([]byte(prefix)); n != want || err != nil {
				t.Fatalf("RemovePrefix: %d, %v; want %d", n, err, want)
			}
		},
		"arguments": func(t *rapid.T) {
			if m.full {
				return // they are the ballast
			}
			m.args = string(drawBytes(t, 20<<10))
			_, err := m.store(t).SetArgs([]byte(m.args))
			wantError(t, "SetArgs", err, nil)
		},
		"replace a process": func(t *rapid.T) {
			i := rapid.IntRange(0, len(m.stores)-1).Draw(t, "store")
			m.replace(t, i, rapid.Bool().Draw(t, "leaves by itself"))
		},
		"rebuild": m.rebuild,
		"check":   m.check,
	}
}

func (m *machine) drawPut(t *rapid.T, key string, v Value) Put {
	return Put{Value: v, TTL: drawTTL(t), KeepTTL: rapid.Bool().Draw(t, "keep ttl"), If: m.drawCondition(t, key)}
}

// counter wants what a key's counter says, and tells whether there is one.
func (m *machine) counter(t *rapid.T, what, key string, n int64, err error) bool {
	h, there := m.get(key)
	switch {
	case !there:
		wantError(t, what, err, ErrNotFound)
	case !h.integer:
		wantError(t, what, err, ErrNotInteger)
	case n != h.n || err != nil:
		t.Fatalf("%s: %d, %v; want %d", what, n, err, h.n)
	}
	return there && h.integer
}

func (m *machine) setTTL(t *rapid.T) {
	s, key, ttl := m.store(t), drawKey(t), drawTTL(t)
	c := m.drawCondition(t, key)
	h, there := m.get(key)
	it, err := s.SetTTL([]byte(key), ttl, c)
	switch {
	case !holdsOf(c, h, there):
		wantError(t, "SetTTL", err, ErrCondition)
	case !there:
		wantError(t, "SetTTL", err, ErrNotFound)
	default:
		wantError(t, "SetTTL", err, nil)
		h.expiry = m.moment(ttl)
		m.keys[key] = h
		if it.Bytes != nil {
			t.Fatalf("SetTTL returned %d bytes", len(it.Bytes))
		}
		it.Bytes = []byte(h.bytes)
		m.same(t, key, h, it)
	}
	m.verify(t, key)
}

// advance moves the clock on: by some time, or to where a key is about to
// expire, or expires, or has expired.
func (m *machine) advance(t *rapid.T) {
	var moments []uint64
	for _, key := range m.live() {
		if at := m.keys[key].expiry; at != 0 {
			moments = append(moments, at-1, at, at+1)
		}
	}
	moments = slices.DeleteFunc(moments, func(at uint64) bool { return at <= m.now })
	if len(moments) == 0 || rapid.Bool().Draw(t, "by some time") {
		m.now += rapid.Uint64Range(1, 100).Draw(t, "ms")
	} else {
		m.now = rapid.SampledFrom(moments).Draw(t, "moment")
	}
	for _, key := range slices.Sorted(maps.Keys(m.keys)) {
		m.verify(t, key)
	}
}

// rebuild is what a recovery does. Where nobody died it changes nothing but
// where readers have to look again.
func (m *machine) rebuild(t *rapid.T) {
	before := m.region.Stats()
	s := m.store(t)
	for i := range s.region.shards {
		sh := &s.region.shards[i]
		wantError(t, "lock", s.lock(sh), nil)
		_, err := sh.rebuildLocked()
		s.unlock(sh)
		wantError(t, "rebuildLocked", err, nil)
	}
	after := m.region.Stats()
	before.Recoveries, before.LongestHold, before.LongestWait = after.Recoveries, after.LongestHold, after.LongestWait
	if after != before || after.Used > math.MaxInt64/2 {
		t.Fatalf("a rebuild made %+v of %+v", after, before)
	}
}
