package command

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAppendString(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"":                      `""`,
		"a\"\\\n\r\t\x00\x1f\b": `"a\"\\\n\r\t\u0000\u001f\u0008"`,
		"<&>é😀\x7f":             "\"<&>é😀\x7f\"",
		"\u2028a\u2029\u2027":   "\"\\u2028a\\u2029\u2027\"",
		"\xffa\xe2\x80":         `"\ufffda\ufffd\ufffd"`,
	} {
		if got := string(AppendString([]byte("x"), []byte(s))); got != "x"+want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "s")
		var back string
		if err := json.Unmarshal(AppendString(nil, []byte(s)), &back); err != nil || back != string([]rune(s)) {
			t.Fatalf("%q became %q, %v", s, back, err)
		}
	})
}

func TestInWords(t *testing.T) {
	t.Parallel()
	for names, want := range map[string]string{"": "none", "a": "a", "a b": "a and b", "a b c": "a, b and c"} {
		if got := InWords(strings.Fields(names)); got != want {
			t.Errorf("%q: %q", names, got)
		}
	}
}
