package command

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/shm"
)

func mustPut(t testing.TB, c *Commands, key, text string) Effect {
	t.Helper()
	v, err := ParseValue([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	effect, err := c.Put([]byte(key), v, 0, Condition{})
	if err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
	return effect
}

// readJSON returns what a key holds as JSON, or the error.
func readJSON(c *Commands, key string) string {
	item, err := c.Get(nil, []byte(key), Condition{})
	return jsonOf(&item, err)
}

func jsonOf(item *Item, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case item.Integer:
		return fmt.Sprint(item.Int)
	}
	return string(item.Bytes)
}

func TestPut(t *testing.T) {
	t.Parallel()
	c := newCommands(t)
	for i, text := range []string{"1", `{"a":1}`, "2.5", "-7", `"x"`, "null", "9223372036854775807", "[]"} {
		if effect := mustPut(t, c, "k", text); effect.Created != (i == 0) {
			t.Errorf("put %s: %+v", text, effect)
		}
		if got := readJSON(c, "k"); got != text {
			t.Errorf("after put %s: %s", text, got)
		}
	}
	if item, err := c.Get([]byte("before "), []byte("k"), Condition{}); string(item.Bytes) != "before []" || err != nil {
		t.Errorf("Get appends: %q, %v", item.Bytes, err)
	}
	if err := c.Remove([]byte("k"), Condition{}); err != nil {
		t.Error(err)
	}
	if err := c.Remove([]byte("k"), Condition{}); !errors.Is(err, shm.ErrNotFound) {
		t.Errorf("remove again: %v", err)
	}
}

// TestConditions: what each condition lets each command do, on a key that has
// the first of two versions, and on none.
func TestConditions(t *testing.T) {
	t.Parallel()
	c := newCommands(t)
	old := mustPut(t, c, "k", "[0]").Version
	now := mustPut(t, c, "k", "[1]").Version
	for _, s := range []struct {
		name            string
		cond            Condition
		read, lost      error // of Get, when the key is there and when it is not
		change, created error // likewise of a change
	}{
		{"none", Condition{}, nil, shm.ErrNotFound, nil, nil},
		{"present", Condition{Present: true}, nil, shm.ErrCondition, nil, shm.ErrCondition},
		{"absent", Condition{Absent: true}, ErrUnchanged, shm.ErrNotFound, shm.ErrCondition, nil},
		{"match", Condition{Match: []Version{old, now}}, nil, shm.ErrCondition, nil, shm.ErrCondition},
		{"match old", Condition{Match: []Version{old}}, shm.ErrCondition, shm.ErrCondition, shm.ErrCondition, shm.ErrCondition},
		{"match nothing", Condition{Match: []Version{}}, shm.ErrCondition, shm.ErrCondition, shm.ErrCondition, shm.ErrCondition},
		{"match absence", Condition{Match: []Version{{}}}, shm.ErrCondition, shm.ErrCondition, shm.ErrCondition, shm.ErrCondition},
		{"not", Condition{Not: []Version{now}}, ErrUnchanged, shm.ErrNotFound, shm.ErrCondition, nil},
		{"not old", Condition{Not: []Version{old}}, nil, shm.ErrNotFound, nil, nil},
		{"both", Condition{Match: []Version{now}, Not: []Version{now}}, ErrUnchanged, shm.ErrCondition, shm.ErrCondition, shm.ErrCondition},
	} {
		item, err := c.Get(nil, []byte("k"), s.cond)
		if !errors.Is(err, s.read) || !errors.Is(err, shm.ErrCondition) && item.Version != now {
			t.Errorf("%s: get: %v, %v", s.name, err, item.Version)
		}
		if _, err := c.Get(nil, []byte("lost"), s.cond); !errors.Is(err, s.lost) {
			t.Errorf("%s: get of no key: %v", s.name, err)
		}
		changes := map[string]func(key string) error{
			"put": func(key string) error {
				_, err := c.Put([]byte(key), shm.BytesValue([]byte("[2]")), 0, s.cond)
				return err
			},
			"patch": func(key string) error {
				_, _, err := c.Patch(nil, []byte(key), Patch{Merge: []byte("[2]"), If: s.cond})
				return err
			},
		}
		for name, change := range changes {
			if err := change("fresh"); !errors.Is(err, s.created) || (err == nil) != (readJSON(c, "fresh") == "[2]") {
				t.Errorf("%s: %s of no key: %v", s.name, name, err)
			}
			if err := c.Remove([]byte("fresh"), Condition{}); (err == nil) != (s.created == nil) {
				t.Errorf("%s: remove: %v", s.name, err)
			}
			// One key for each, which has the version now only once.
			if s.change != nil {
				if err := change("k"); !errors.Is(err, s.change) || readJSON(c, "k") != "[1]" {
					t.Errorf("%s: %s: %v, leaves %s", s.name, name, err, readJSON(c, "k"))
				}
				if err := c.Remove([]byte("k"), s.cond); !errors.Is(err, s.change) || readJSON(c, "k") != "[1]" {
					t.Errorf("%s: remove: %v, leaves %s", s.name, err, readJSON(c, "k"))
				}
			}
		}
	}
	for name, change := range map[string]func(Condition) error{
		"put": func(cond Condition) error {
			_, err := c.Put([]byte("k"), shm.IntegerValue(2), 0, cond)
			return err
		},
		"patch": func(cond Condition) error {
			_, _, err := c.Patch(nil, []byte("k"), Patch{Merge: []byte("3"), If: cond})
			return err
		},
		"remove": func(cond Condition) error { return c.Remove([]byte("k"), cond) },
	} {
		version := mustPut(t, c, "k", "[1]").Version
		if err := change(Condition{Match: []Version{old, version}, Not: []Version{old}}); err != nil {
			t.Errorf("%s of the version that matches: %v", name, err)
		}
		if err := change(Condition{Match: []Version{version}}); !errors.Is(err, shm.ErrCondition) {
			t.Errorf("%s a second time: %v", name, err)
		}
	}
}

// TestVersions: every change gives a version that the key never had, also
// across a delete, and an increment is a change.
func TestVersions(t *testing.T) {
	t.Parallel()
	c := newCommands(t)
	seen := map[Version]string{}
	check := func(what string) {
		t.Helper()
		item, err := c.Get(nil, []byte("k"), Condition{})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if before, again := seen[item.Version]; again {
			t.Errorf("%s has the version that %s had", what, before)
		}
		seen[item.Version] = what
		text := item.Version.Append(nil)
		if v, ok := ParseVersion(text); !ok || v != item.Version {
			t.Errorf("%s: %s reads as %v, %v", what, text, v, ok)
		}
	}
	for i := range 50 {
		for _, text := range []string{"1", "1", `{"a":1}`, `{"a":1}`} {
			mustPut(t, c, "k", text)
			check(fmt.Sprintf("put %d of %s", i, text))
		}
		mustPut(t, c, "k", "5")
		for _, by := range []int64{1, -1} {
			if _, _, err := c.Increment([]byte("k"), by, 0, 0); err != nil {
				t.Fatal(err)
			}
			check(fmt.Sprintf("increment %d by %d", i, by))
		}
		if err := c.Remove([]byte("k"), Condition{}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMaxValue(t *testing.T) {
	t.Parallel()
	largest := newCommands(t).region.Info().LargestValue
	for policy, want := range map[int64]int64{0: min(largest, shm.DefaultMaxValue), 1000: 1000, 1 << 40: largest} {
		c := newFleet(t, 1, shm.Policy{MaxValue: policy})[0]
		if got := c.MaxValue(); got != want || c.Region().MaxValue != want {
			t.Errorf("policy %d: %d, want %d", policy, got, want)
		}
		text := bytes.Repeat([]byte("x"), int(want)+1)
		text[0], text[want-1], text[want] = '"', '"', ' '
		if _, err := c.Put([]byte("k"), mustParse(t, text), 0, Condition{}); err != nil {
			t.Errorf("policy %d: the largest value: %v", policy, err)
		}
		text[want-1], text[want] = 'x', '"'
		if _, err := c.Put([]byte("k"), mustParse(t, text), 0, Condition{}); !errors.Is(err, shm.ErrValueTooLarge) {
			t.Errorf("policy %d: one byte more: %v", policy, err)
		}
	}
	c := newFleet(t, 1, shm.Policy{MaxValue: 20})[0]
	mustPut(t, c, "k", `{"a":"12345678"}`)
	if _, _, err := c.Patch(nil, []byte("k"), Patch{Merge: []byte(`{"b":"1"}`)}); !errors.Is(err, shm.ErrValueTooLarge) || readJSON(c, "k") != `{"a":"12345678"}` {
		t.Errorf("a patch that makes it too large: %v, leaves %s", err, readJSON(c, "k"))
	}
	if _, _, err := c.Patch(nil, []byte("k"), Patch{Merge: []byte(`{"a":null,   "b":"123"}`)}); err != nil || readJSON(c, "k") != `{"b":"123"}` {
		t.Errorf("a patch that is larger than a value: %v, leaves %s", err, readJSON(c, "k"))
	}
}

func mustParse(t testing.TB, text []byte) Value {
	t.Helper()
	v, err := ParseValue(text)
	if err != nil {
		t.Fatalf("%.40q: %v", text, err)
	}
	return v
}

func TestScan(t *testing.T) {
	t.Parallel()
	c := newCommands(t)
	const n = 500
	for i := range n {
		mustPut(t, c, fmt.Sprintf("a/%03d", i), fmt.Sprint(i))
		mustPut(t, c, fmt.Sprintf("b/%03d", i), `"text"`)
	}
	for _, s := range []struct {
		prefix string
		limit  int
		want   int
	}{
		{"", 1000, 2 * n},
		{"", 7, 2 * n},
		{"a/", 100, n},
		{"b/00", 3, 10},
		{"b/1", 1, 100},
		{"c", 10, 0},
		{strings.Repeat("x", 513), 10, 0},
	} {
		found := map[string]bool{}
		var page []Key
		var cursor []byte
		for pages := 0; ; pages++ {
			var err error
			page, cursor, err = c.Scan(page[:0], []byte(s.prefix), cursor, s.limit)
			if err != nil || pages > 10*n {
				t.Fatalf("%q: page %d: %v", s.prefix, pages, err)
			}
			if len(page) > s.limit {
				t.Errorf("%q: a page of %d, limit %d", s.prefix, len(page), s.limit)
			}
			for _, k := range page {
				if !strings.HasPrefix(string(k.Key), s.prefix) || found[string(k.Key)] {
					t.Errorf("%q: %q", s.prefix, k.Key)
				}
				found[string(k.Key)] = true
			}
			if cursor == nil {
				break
			}
		}
		if len(found) != s.want {
			t.Errorf("%q by %d: %d keys, want %d", s.prefix, s.limit, len(found), s.want)
		}
	}
	if _, _, err := c.Scan(nil, nil, []byte("!"), 1); !errors.Is(err, shm.ErrCursor) {
		t.Errorf("a cursor of nobody: %v", err)
	}
	if deleted, err := c.RemovePrefix([]byte("a/1")); deleted != 100 || err != nil {
		t.Errorf("remove a/1: %d, %v", deleted, err)
	}
	if deleted, err := c.RemovePrefix(nil); deleted != 2*n-100 || err != nil {
		t.Errorf("remove all: %d, %v", deleted, err)
	}
	if keys, next, err := c.Scan(nil, nil, nil, 10); len(keys) != 0 || next != nil || err != nil {
		t.Errorf("after that: %d keys, %q, %v", len(keys), next, err)
	}
}

// TestScanOfFew: a walk that looks at many places for few keys still ends, and
// its pages have no more than they may.
func TestScanOfFew(t *testing.T) {
	t.Parallel()
	c := newFleetOf(t, shm.Geometry{Size: 32 << 20, Slots: 4}, 1, shm.Policy{})[0]
	const n = 3000
	for i := range n {
		mustPut(t, c, fmt.Sprint(i), "1")
	}
	found := 0
	for cursor := []byte(nil); ; {
		keys, next, err := c.Scan(nil, nil, cursor, 2000)
		if err != nil || len(keys) > 2000 {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		found += len(keys)
		if cursor = next; cursor == nil {
			break
		}
	}
	if found != n {
		t.Errorf("%d keys of %d", found, n)
	}
}

// TestIntegersAndBytes: what needs a counter refuses anything else, and leaves
// it.
func TestIntegersAndBytes(t *testing.T) {
	t.Parallel()
	c := newCommands(t)
	for _, text := range []string{`"1"`, "1.0", "{}", "null", "9223372036854775808"} {
		mustPut(t, c, "k", text)
		var errs []error
		_, _, err := c.Increment([]byte("k"), 1, 0, 0)
		errs = append(errs, err)
		_, err = c.Report([]byte("k"))
		errs = append(errs, err)
		_, err = c.Count([]byte("k"))
		errs = append(errs, err)
		_, err = c.Reset([]byte("k"))
		errs = append(errs, err)
		if slices.ContainsFunc(errs, func(err error) bool { return !errors.Is(err, shm.ErrNotInteger) }) || readJSON(c, "k") != text {
			t.Errorf("%s: %v, leaves %s", text, errs, readJSON(c, "k"))
		}
	}
}
