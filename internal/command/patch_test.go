package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
)

func TestPatch(t *testing.T) {
	t.Parallel()
	c := newCommands(t)
	key := []byte("k")
	for _, s := range []struct {
		before, merge, after string
		created              bool
	}{
		{"", `{"a":1,"b":null}`, `{"a":1}`, true},
		{"", `5`, `5`, true},
		{"", `null`, `null`, true},
		{"5", `{"a":1}`, `{"a":1}`, false},
		{"9223372036854775807", `{}`, `{}`, false},
		{`[1]`, `{"a":1}`, `{"a":1}`, false},
		{`null`, `{"a":1}`, `{"a":1}`, false},
		{`{"a":1}`, ` -0 `, `0`, false},
		{`{"a":1}`, `1.50`, `1.50`, false},
		{`{"b":0.10,"a":{"x":[]}}`, `{"c":"<","a":{"y":{"z":null}}}`, `{"b":0.10,"a":{"x":[],"y":{}},"c":"<"}`, false},
	} {
		_ = c.Remove(key, Condition{})
		if s.before != "" {
			mustPut(t, c, "k", s.before)
		}
		item, effect, err := c.Patch([]byte("dst"), key, Patch{Merge: []byte(s.merge)})
		if got := strings.TrimPrefix(jsonOf(&item, err), "dst"); got != s.after || effect.Created != s.created {
			t.Errorf("%s with %s: %s, %+v, want %s", s.before, s.merge, got, effect, s.after)
		}
		now, err := c.Get(nil, key, Condition{})
		if jsonOf(&now, err) != s.after || now.Version != item.Version || now.Version != effect.Version {
			t.Errorf("%s with %s: then %s, versions %v, %v, %v", s.before, s.merge, jsonOf(&now, err), item.Version, effect.Version, now.Version)
		}
	}
	mustPut(t, c, "k", "[]")
	for merge, want := range map[string]error{"{": ErrNotJSON, "": ErrNotJSON, "\"\xff\"": ErrNotJSON} {
		if _, _, err := c.Patch(nil, key, Patch{Merge: []byte(merge)}); !errors.Is(err, want) || readJSON(c, "k") != "[]" {
			t.Errorf("patch %q: %v", merge, err)
		}
	}
	if _, _, err := c.Patch(nil, key, Patch{}); !errors.Is(err, ErrNoPatch) {
		t.Errorf("a patch of nothing: %v", err)
	}
	if _, _, err := c.Patch(nil, nil, Patch{Merge: []byte("1")}); !errors.Is(err, shm.ErrKeyLength) {
		t.Errorf("an empty key: %v", err)
	}
}

// TestPatchesAllSurvive: of many at once, by several processes, each of a
// member of its own, none is lost; and each sees its own.
func TestPatchesAllSurvive(t *testing.T) {
	t.Parallel()
	const processes, each = 3, 8
	times := 100
	if testing.Short() {
		times = 20
	}
	fleet := newFleet(t, processes, shm.Policy{})
	var all sync.WaitGroup
	for p, c := range fleet {
		for g := range each {
			all.Go(func() {
				name := fmt.Sprintf("p%dg%d", p, g)
				for i := 1; i <= times; i++ {
					merge := fmt.Sprintf(`{%q:{"n":%d}}`, name, i)
					item, _, err := c.Patch(nil, []byte("k"), Patch{Merge: []byte(merge)})
					if err != nil || !strings.Contains(string(item.Bytes), fmt.Sprintf(`%q:{"n":%d}`, name, i)) {
						t.Errorf("%s: %v: %s", merge, err, item.Bytes)
						return
					}
				}
			})
		}
	}
	all.Wait()
	var got map[string]struct{ N int }
	if err := json.Unmarshal([]byte(readJSON(fleet[0], "k")), &got); err != nil || len(got) != processes*each {
		t.Fatalf("%v: %d members of %d", err, len(got), processes*each)
	}
	for name, m := range got {
		if m.N != times {
			t.Errorf("%s is %d, want %d", name, m.N, times)
		}
	}
}

// TestPatchesCreateOnce: of several that find no key, one creates it and the
// others patch what it made.
func TestPatchesCreateOnce(t *testing.T) {
	t.Parallel()
	fleet := newFleet(t, 3, shm.Policy{})
	rounds := 3000
	if testing.Short() {
		rounds = 500
	}
	for round := range rounds {
		key := fmt.Appendf(nil, "k%d", round)
		start := make(chan struct{})
		var all sync.WaitGroup
		created := make(chan int, len(fleet))
		for i, c := range fleet {
			all.Go(func() {
				<-start
				_, effect, err := c.Patch(nil, key, Patch{Merge: fmt.Appendf(nil, `{"p%d":1}`, i)})
				if err != nil {
					t.Error(err)
				}
				if effect.Created {
					created <- i
				}
			})
		}
		close(start)
		all.Wait()
		var got map[string]int
		if err := json.Unmarshal([]byte(readJSON(fleet[0], string(key))), &got); err != nil || len(got) != len(fleet) || len(created) != 1 {
			t.Fatalf("round %d: %v, %v, created %d times", round, err, got, len(created))
		}
	}
}

// TestPatchOfTTLTellsItsValue: what a patch of the time to live returns is the
// value of the version that it returns.
func TestPatchOfTTLTellsItsValue(t *testing.T) {
	t.Parallel()
	fleet := newFleet(t, 2, shm.Policy{})
	mustPut(t, fleet[0], "k", "[]")
	type told struct {
		version Version
		value   string
	}
	var patches []told
	times := 20000
	if testing.Short() {
		times = 2000
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range times {
			item, _, err := fleet[1].Patch(nil, []byte("k"), Patch{SetTTL: true, TTL: time.Duration(i%2) * time.Hour})
			if err != nil {
				t.Error(err)
				return
			}
			patches = append(patches, told{item.Version, jsonOf(&item, nil)})
		}
	}()
	puts := map[Version]string{}
	for i := 0; ; i++ {
		select {
		case <-done:
			for _, p := range patches {
				if put, found := puts[p.version]; found && put != p.value {
					t.Fatalf("%s with the version of %s", p.value, put)
				}
			}
			return
		default:
		}
		text := []string{fmt.Sprint(i), fmt.Sprintf("[%d]", i), strings.Repeat(" ", i%5) + fmt.Sprintf(`{"a":%d}`, i)}[i%3]
		puts[mustPut(t, fleet[0], "k", text).Version] = strings.TrimSpace(text)
	}
}

// TestPatchesAreOrdered: of many on one condition, one is done.
func TestPatchesAreOrdered(t *testing.T) {
	t.Parallel()
	fleet := newFleet(t, 3, shm.Policy{})
	for round := range 20 {
		version := mustPut(t, fleet[0], "k", "{}").Version
		var all sync.WaitGroup
		done := make(chan int, 30)
		for i := range 30 {
			all.Go(func() {
				p := Patch{Merge: fmt.Appendf(nil, `{"by":%d}`, i), If: Condition{Match: []Version{version}}}
				switch _, _, err := fleet[i%3].Patch(nil, []byte("k"), p); {
				case err == nil:
					done <- i
				case !errors.Is(err, shm.ErrCondition):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if len(done) != 1 {
			t.Fatalf("round %d: %d patches of one version", round, len(done))
		}
		if want := fmt.Sprintf(`{"by":%d}`, <-done); readJSON(fleet[0], "k") != want {
			t.Errorf("%s, want %s", readJSON(fleet[0], "k"), want)
		}
	}
}

// TestPatchOfTTLKeepsAdds: a counter that is added to all the time loses
// nothing when its time to live changes.
func TestPatchOfTTLKeepsAdds(t *testing.T) {
	t.Parallel()
	fleet := newFleet(t, 2, shm.Policy{})
	mustPut(t, fleet[0], "k", "0")
	const times = 5000
	var adding sync.WaitGroup
	adding.Go(func() {
		for range times {
			if _, _, err := fleet[1].Increment([]byte("k"), 1, 0, 0); err != nil {
				t.Error(err)
			}
		}
	})
	last := int64(0)
	for i := range 200 {
		ttl := time.Duration(i%2) * time.Hour
		item, _, err := fleet[0].Patch(nil, []byte("k"), Patch{SetTTL: true, TTL: ttl})
		if err != nil || item.Int < last || (item.TTL > 0) != (ttl > 0) {
			t.Errorf("%v: %+v after %d", err, item, last)
		}
		last = item.Int
	}
	adding.Wait()
	if got := readJSON(fleet[0], "k"); got != fmt.Sprint(times) {
		t.Errorf("%s of %d", got, times)
	}
}

// TestPatchPatience: whoever finds others faster, or another's turn under way,
// gives up, and has changed nothing.
func TestPatchPatience(t *testing.T) {
	t.Parallel()
	c := newCommands(t)
	c.patience = 20 * time.Millisecond
	tries := 0
	if err := c.insist([]byte("k"), func() error { tries++; return errFaster }); !errors.Is(err, ErrContended) || tries < 2 {
		t.Errorf("%v after %d tries", err, tries)
	}
	tries = 0
	err := c.insist([]byte("k"), func() error {
		if tries++; tries < 3 {
			return fmt.Errorf("wrapped: %w", errFaster)
		}
		return nil
	})
	if err != nil || tries != 3 {
		t.Errorf("%v after %d tries", err, tries)
	}
	inner := errors.New("not run")
	if err := c.insist([]byte("k"), func() error {
		_, _, inner = c.Patch(nil, []byte("k"), Patch{Merge: []byte("1")})
		return nil
	}); err != nil {
		t.Error(err)
	}
	if !errors.Is(inner, ErrContended) || !strings.Contains(readJSON(c, "k"), "not found") {
		t.Errorf("in another's turn: %v, leaves %s", inner, readJSON(c, "k"))
	}
	if _, _, err := c.Patch(nil, []byte("k"), Patch{Merge: []byte("1")}); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// TestPatchTriesAnew: a try that another writer overtakes changes nothing and
// says so, and the client's condition is asked again by the next.
func TestPatchTriesAnew(t *testing.T) {
	t.Parallel()
	c := newCommands(t)
	version := mustPut(t, c, "k", `{"a":1}`).Version
	overtaken := false
	p := Patch{If: Condition{Match: []Version{version}}}
	merge := parsePatch([]byte(`{"b":2}`))
	err := c.insist([]byte("k"), func() error {
		if !overtaken {
			overtaken = true
			mustPut(t, c, "k", `{"a":2}`)
			return errFaster
		}
		_, _, err := c.tryMerge(nil, []byte("k"), merge, &p)
		return err
	})
	if !errors.Is(err, shm.ErrCondition) || readJSON(c, "k") != `{"a":2}` {
		t.Errorf("%v, leaves %s", err, readJSON(c, "k"))
	}
}
