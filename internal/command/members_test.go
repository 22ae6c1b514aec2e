package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestMembers(t *testing.T) {
	t.Parallel()
	list, err := Members([]byte(" {\t\"a\" : [1, 2] ,\n\"\\u0062\":{\"a\":1}, \"\\ud800\":-0} "))
	if got, want := fmt.Sprintf("%s", list), `[{"a" [1, 2]} {"\u0062" {"a":1}} {"\ud800" -0}]`; got != want || err != nil {
		t.Errorf("%s, %v", got, err)
	}
	if list, err := Members([]byte("{ }")); len(list) != 0 || err != nil {
		t.Errorf("%s, %v", list, err)
	}
	for _, text := range []string{"[]", "1", `"{}"`, " null "} {
		if _, err := Members([]byte(text)); !errors.Is(err, ErrNotObject) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, name := range map[string]string{`{"a":1,"b":2,"\u0061":3,"b":4}`: "a", `{"":{},"":{}}`: "", `{"\ud800":1,"\ud801":2,"\ud800":3}`: "\xed\xa0\x80"} {
		var twice *TwiceError
		if _, err := Members([]byte(text)); !errors.As(err, &twice) || twice.Name != name {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestText: a string is what encoding/json makes of it, or has half a character,
// which encoding/json replaces.
func TestText(t *testing.T) {
	t.Parallel()
	for quoted, want := range map[string]string{
		`""`: "", `"\u00fc\/\ud83d\ude00\ufffd"`: "ü/😀\ufffd", "\"\ufffd\"": "\ufffd", `"\\ud800"`: `\ud800`,
	} {
		if got, err := Text([]byte(quoted)); got != want || err != nil {
			t.Errorf("%s: %q, %v", quoted, got, err)
		}
	}
	for _, quoted := range []string{`"\ud800"`, `"\ufffd\\ufffd\udc00x"`, `"\ud800\ud800\udc00"`, `"\udc00\ud800"`, `"\ud83d😀"`} {
		if got, err := Text([]byte(quoted)); !errors.Is(err, ErrHalfSurrogate) {
			t.Errorf("%s: %q, %v", quoted, got, err)
		}
	}
	part := rapid.SampledFrom([]string{`\ud83d`, `\ude00`, `\uD800`, "a", `\\`, `\"`, "😀", `\u0000`, `u`, `d800`})
	rapid.Check(t, func(t *rapid.T) {
		quoted := `"` + strings.Join(rapid.SliceOf(part).Draw(t, "parts"), "") + `"`
		var want string
		if err := json.Unmarshal([]byte(quoted), &want); err != nil {
			t.Fatal(err)
		}
		got, err := Text([]byte(quoted))
		if half := strings.ContainsRune(want, utf8.RuneError); (err == nil) == half || err == nil && got != want {
			t.Fatalf("%s: %q, %v, want %q", quoted, got, err, want)
		}
	})
}

func TestCheckJSON(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"1", " {} \n", `"\ud800"`, strings.Repeat("[", 10000) + strings.Repeat("]", 10000)} {
		if err := CheckJSON([]byte(text)); err != nil {
			t.Errorf("%.40s: %v", text, err)
		}
	}
	for text, want := range map[string]error{
		"": ErrCutOff, " \n": ErrCutOff, `{"a"`: ErrCutOff, "[1,": ErrCutOff, `"a`: ErrCutOff, "tru": ErrCutOff,
		"1 2": ErrTooMuch, "{}x": ErrTooMuch, "{} {": ErrTooMuch, "\"\xff\"": ErrNotUTF8, "\xff": ErrNotUTF8,
	} {
		if err := CheckJSON([]byte(text)); !errors.Is(err, want) || !errors.Is(err, ErrNotJSON) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
	for text, at := range map[string]int{
		"nope": 1, " \n\t{'a':1}": 4, `{"a":1,}`: 7, `{"a":tru}`: 8, "[01]": 2, "\"a\nb\"": 2, "}": 0,
		strings.Repeat("[", 10001): 10000,
	} {
		var syntax *SyntaxError
		if err := CheckJSON([]byte(text)); !errors.As(err, &syntax) || syntax.At != at || !errors.Is(err, ErrNotJSON) {
			t.Errorf("%.40q: %v at %d, want %d", text, err, syntax.At, at)
		}
	}
}
