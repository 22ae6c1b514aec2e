package command

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func merged(target, patch string) string {
	return string(parsePatch([]byte(patch)).apply(nil, []byte(target)))
}

// TestMergeExamples has the table of RFC 7396, appendix A.
func TestMergeExamples(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		if got := merged(c[0], c[1]); got != c[2] {
			t.Errorf("%s with %s: %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

// TestMergeText: what the patch does not name stays as it was written, in its
// place.
func TestMergeText(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{``, `{"a":1}`, `{"a":1}`},
		{``, `{"a":null,"b":{"c":null}}`, `{"b":{}}`},
		{`null`, `{"a":1}`, `{"a":1}`},
		{`5`, `{"a":1}`, `{"a":1}`},
		{`"{"`, `{"a":1}`, `{"a":1}`},
		{`[{"a":2}]`, `{"a":1}`, `{"a":1}`},
		{`{"a":1}`, `5`, `5`},
		{`{"a":1}`, `{}`, `{"a":1}`},
		{` { "b" : [ 1 , 2 ] , "a" : { } } `, ` { "c" : { } } `, `{"b" : [ 1 , 2 ],"a" : { },"c":{}}`},
		{`{"z":1,"y":2,"x":3}`, `{"y":{"q":1},"a":0,"z":null,"0":5}`, `{"y":{"q":1},"x":3,"a":0,"0":5}`},
		{`{"a":1e400,"b":0.10,"c":12345678901234567890123,"d":-0}`, `{"e":1.000e-99999}`, `{"a":1e400,"b":0.10,"c":12345678901234567890123,"d":-0,"e":1.000e-99999}`},
		{`{"a":"<>&\u2028"}`, `{"b":"<>&"}`, `{"a":"<>&\u2028","b":"<>&"}`},
		// Nulls in arrays are values, wherever the array is.
		{`{}`, `{"a":[null,{"b":null}]}`, `{"a":[null,{"b":null}]}`},
		{`{"a":{"b":1}}`, `{"a":{"b":[{"c":null}]}}`, `{"a":{"b":[{"c":null}]}}`},
		{`{}`, `[{"b":null}]`, `[{"b":null}]`},
		// A name is what it means, not how it is written.
		{`{"\u0061":1,"\/":2}`, `{"a":3,"/":null}`, `{"\u0061":3}`},
		{`{"a\"b":1}`, `{"a\u0022b":2}`, `{"a\"b":2}`},
		{`{"\ud83d\ude00":1}`, `{"😀":2}`, `{"\ud83d\ude00":2}`},
		{`{"\ud800":1,"\ud801":2}`, `{"\ud801":null,"\ufffd":3}`, `{"\ud800":1,"\ufffd":3}`},
		{`{"\ud800\ud83d\ude00":1}`, `{"\ud800😀":2}`, `{"\ud800\ud83d\ude00":2}`},
		{`{"":1}`, `{"":{"":null}}`, `{"":{}}`},
		{`{"\b\f\n\r\t\\":1}`, `{"\u0008\u000C\u000a\u000d\u0009\u005c":2}`, `{"\b\f\n\r\t\\":2}`},
		// The last of members that are there twice counts.
		{`{"a":1}`, `{"a":2,"b":0,"a":3}`, `{"a":3,"b":0}`},
		{`{}`, `{"a":{"b":1},"a":{"c":2}}`, `{"a":{"c":2}}`},
		{`{}`, `{"a":1,"a":null}`, `{}`},
		{`{"a":null}`, `{"a":null,"a":1}`, `{"a":1}`},
		{`{"a":{"x":1},"b":0,"a":{"y":2}}`, `{"a":{"z":3}}`, `{"b":0,"a":{"y":2,"z":3}}`},
		{`{"a":{"x":1},"a":5}`, `{"a":{"z":3}}`, `{"a":{"z":3}}`},
		{`{"a":{"x":{"y":1}},"a":{"w":2}}`, `{"a":{"x":{"z":3}}}`, `{"a":{"w":2,"x":{"z":3}}}`},
		{`{"a":{"x":{"y":1}},"a":{"x":{}}}`, `{"a":{"x":{"z":3}}}`, `{"a":{"x":{"z":3}}}`},
		{`{"a":5,"a":{"x":1}}`, `{"a":{"z":3}}`, `{"a":{"x":1,"z":3}}`},
		{`{"a":1,"a":2}`, `{"a":null}`, `{}`},
		{`{"a":1,"a":2}`, `{"b":3}`, `{"a":1,"a":2,"b":3}`},
	} {
		if got := merged(c[0], c[1]); got != c[2] {
			t.Errorf("%s with %s: %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

// TestMergeAgain: a patch that was applied once merges a second target as it
// did the first.
func TestMergeAgain(t *testing.T) {
	t.Parallel()
	p := parsePatch([]byte(`{"a":{"b":1},"c":2}`))
	for range 2 {
		for target, want := range map[string]string{
			`{"c":1,"a":{"b":0}}`: `{"c":2,"a":{"b":1}}`,
			`{"a":5}`:             `{"a":{"b":1},"c":2}`,
			`{}`:                  `{"a":{"b":1},"c":2}`,
			`[]`:                  `{"a":{"b":1},"c":2}`,
		} {
			if got := string(p.apply(nil, []byte(target))); got != want {
				t.Errorf("%s: %s, want %s", target, got, want)
			}
		}
	}
}

// TestMergeMany: members are found among many as soon as among few. Looking at
// each for each would take a minute.
func TestMergeMany(t *testing.T) {
	t.Parallel()
	var target, patch, want strings.Builder
	for i := range 100000 {
		name := `"m` + strconv.Itoa(i) + `":`
		target.WriteString("," + name + "1")
		switch i % 3 {
		case 0:
			patch.WriteString("," + name + "null")
		case 1:
			patch.WriteString("," + name + "2")
			want.WriteString("," + name + "2")
		case 2:
			want.WriteString("," + name + "1")
		}
	}
	object := func(b *strings.Builder) string { return "{" + b.String()[1:] + "}" }
	start := time.Now()
	if got := merged(object(&target), object(&patch)); got != object(&want) {
		t.Errorf("%.200s", got)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

// TestMergeDuplicates: a patch that goes into a name that the target has many
// times costs what both have of bytes, as with a name that it has once. Going
// through the patch for each would take a hundred times as long.
func TestMergeDuplicates(t *testing.T) {
	t.Parallel()
	const many = 60000
	var patch strings.Builder
	for i := range many {
		patch.WriteString(`,"` + strconv.Itoa(i) + `":0`)
	}
	want := `{"a":{` + patch.String()[1:] + "}}"
	target := `{"a":{}` + strings.Repeat(`,"a":{}`, many-1) + "}"
	timed := func(target string) time.Duration {
		start := time.Now()
		if got := merged(target, want); got != want {
			t.Errorf("%.200s", got)
		}
		return time.Since(start)
	}
	if once, took := timed(want), timed(target); took > time.Second+20*once {
		t.Errorf("took %v, with a name that is there once %v", took, once)
	}
}

// TestMergeDeep: the deepest nesting costs no more than what it has of bytes.
// Looking at each level's text anew would take minutes.
func TestMergeDeep(t *testing.T) {
	t.Parallel()
	const depth = 10000
	nested := func(inner string) string {
		return strings.Repeat(`{"a":`, depth-1) + inner + strings.Repeat("}", depth-1)
	}
	filler := `{"x":"` + strings.Repeat("x", 1<<20) + `"}`
	start := time.Now()
	got := merged(nested(filler), nested(`{"y":1}`))
	if want := nested(filler[:len(filler)-1] + `,"y":1}`); got != want {
		t.Errorf("%d bytes, want %d", len(got), len(want))
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

// mergeModel is the pseudo-code of RFC 7396, section 2.
func mergeModel(target, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	object, ok := target.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	for name, value := range p {
		if value == nil {
			delete(object, name)
		} else {
			object[name] = mergeModel(object[name], value)
		}
	}
	return object
}

// decodeJSON keeps numbers as they are written.
func decodeJSON(t interface{ Fatalf(string, ...any) }, text []byte) (v any) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}

func checkMerge(t interface{ Fatalf(string, ...any) }, target, patch []byte) {
	got := parsePatch(patch).apply(nil, target)
	if !json.Valid(got) || !utf8.Valid(got) {
		t.Fatalf("%q with %q is not JSON: %q", target, patch, got)
	}
	var before any
	if len(target) > 0 {
		before = decodeJSON(t, target)
	}
	want := mergeModel(before, decodeJSON(t, patch))
	if !reflect.DeepEqual(decodeJSON(t, got), want) {
		t.Fatalf("%q with %q: %q, want %v", target, patch, got, want)
	}
	if again := parsePatch(patch).apply(nil, got); !reflect.DeepEqual(decodeJSON(t, again), want) {
		t.Fatalf("%q with %q, and again: %q, want %v", target, patch, again, want)
	}
}

// FuzzMergePatch: a merge gives what the RFC's pseudo-code gives.
func FuzzMergePatch(f *testing.F) {
	f.Add(`{"a":{"b":[1,{"c":null}]},"d":1}`, ` {"a":{"b":null,"e":{"f":null}}, "g":0.10} `)
	f.Add(`{"a":1,"a":{"b":2}}`, `{"a":{"c":3},"a":{"d":4}}`)
	f.Add(`"text"`, `{"\u0061":1,"a":2}`)
	f.Add(``, `[null]`)
	f.Fuzz(func(t *testing.T, target, patch string) {
		if target != "" {
			if _, err := ParseValue([]byte(target)); err != nil {
				return
			}
		}
		if _, err := ParseValue([]byte(patch)); err != nil {
			return
		}
		// encoding/json takes all halves of surrogate pairs for one character.
		if both := strings.ToLower(target + patch); strings.Contains(both, `\ud`) {
			return
		}
		checkMerge(t, []byte(target), []byte(patch))
	})
}

// TestMergeModel does the same with documents that have names in common.
func TestMergeModel(t *testing.T) {
	t.Parallel()
	var value func(depth int) *rapid.Generator[string]
	value = func(depth int) *rapid.Generator[string] {
		leaf := rapid.SampledFrom([]string{`null`, `true`, `1`, `1.50`, `-0`, `"x"`, `"\u003c<"`, `[]`, `[null,{"a":null}]`, `{}`})
		if depth == 0 {
			return leaf
		}
		name := rapid.SampledFrom([]string{`"a"`, `"b"`, `"c"`, `"\u0061"`, `""`, `"\"\\"`})
		object := rapid.Custom(func(t *rapid.T) string {
			var members []string
			for range rapid.IntRange(0, 12).Draw(t, "members") {
				members = append(members, name.Draw(t, "name")+rapid.SampledFrom([]string{":", " : "}).Draw(t, "colon")+value(depth-1).Draw(t, "value"))
			}
			return "{" + strings.Join(members, ",") + "}"
		})
		return rapid.OneOf(object, object, leaf)
	}
	rapid.Check(t, func(t *rapid.T) {
		checkMerge(t, []byte(value(3).Draw(t, "target")), []byte(value(3).Draw(t, "patch")))
	})
}
