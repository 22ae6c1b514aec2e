package command

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseValue(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 10000) + strings.Repeat("]", 10000)
	for text, want := range map[string]any{
		"0":                        int64(0),
		"-0":                       int64(0),
		" \t\r\n7 ":                int64(7),
		"9223372036854775807":      int64(math.MaxInt64),
		"-9223372036854775808":     int64(math.MinInt64),
		"9223372036854775808":      "9223372036854775808",
		"-9223372036854775809":     "-9223372036854775809",
		"99999999999999999999":     "99999999999999999999",
		"18446744073709551616":     "18446744073709551616",
		"-18446744073709551616":    "-18446744073709551616",
		"1.0":                      "1.0",
		"1e2":                      "1e2",
		"-0.0":                     "-0.0",
		"1E400":                    "1E400",
		`"7"`:                      `"7"`,
		"true":                     "true",
		"false":                    "false",
		"null":                     "null",
		" [1, 2]\n":                "[1, 2]",
		`{ "b":1, "a":"\u00fc<" }`: `{ "b":1, "a":"\u00fc<" }`,
		`"` + "ü" + `"`:            `"` + "ü" + `"`,
		`"\ud800"`:                 `"\ud800"`,
		deep:                       deep,
		"[" + deep + "]":           nil,
		"":                         nil,
		" ":                        nil,
		"+1":                       nil,
		"01":                       nil,
		"1 2":                      nil,
		"\v1":                      nil,
		"\ufeff1":                  nil,
		"{":                        nil,
		"NaN":                      nil,
		"\"\xff\"":                 nil,
		"\"\xed\xa0\x80\"":         nil,
		"\"\x00\"":                 nil,
	} {
		v, err := ParseValue([]byte(text))
		var ok bool
		switch want := want.(type) {
		case int64:
			ok = err == nil && v.Integer && v.Int == want && v.Bytes == nil
		case string:
			ok = err == nil && !v.Integer && string(v.Bytes) == want
		default:
			ok = errors.Is(err, ErrNotJSON)
		}
		if !ok {
			t.Errorf("%.40q: %.100v, %v", text, v, err)
		}
	}
}

func TestParseValueAllocatesNothing(t *testing.T) {
	for _, text := range []string{"12345", `{"a":[1,2,{"b":null}],"c":"text"}`} {
		b := []byte(text)
		if n := testing.AllocsPerRun(100, func() { _, _ = ParseValue(b) }); n != 0 && !raceEnabled {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

func BenchmarkParseValue(b *testing.B) {
	for name, text := range map[string]string{
		"object": `{"name":"ann","visits":17,"tags":["a","b"],"last":"` + strings.Repeat("x", 40) + `"}`,
		"64KiB":  `"` + strings.Repeat("abcdefgh", 8<<10) + `"`,
	} {
		b.Run(name, func(b *testing.B) {
			text := []byte(text)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseValue(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// FuzzParseValue: a value says what its text says.
func FuzzParseValue(f *testing.F) {
	for _, text := range []string{
		"1", "-0", " 9223372036854775808 ", "1e3", `{"a":[]}`, "\"\xff\"", "",
		`{"a":1,"a":1}`, `"\ud800"`, `"\ud83d\ude00"`, `"\udc00\ud800"`, `"\u12g4"`, "\"\t\"", `"\/\x"`, `[1,]`, `{"a":1,}`, `{"a" 1}`, `-`, `1.`, `.1`, `1e`, `1e+`,
		"\"\x7f\"", "[1]\x00", "\u2028", `{1:2}`, "tru", "nulll", `"a`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := ParseValue(text)
		if (err == nil) != (json.Valid(text) && utf8.Valid(text)) {
			t.Fatalf("%q: %v", text, err)
		}
		if err != nil {
			return
		}
		var n int64
		number := text
		if strings.TrimSpace(string(text)) == "-0" {
			number = []byte("0")
		}
		if integer := json.Unmarshal(number, &n) == nil && trimSpace(text)[0] != 'n'; integer != v.Integer || v.Integer && n != v.Int {
			t.Fatalf("%q: %+v", text, v)
		}
		if !v.Integer && string(v.Bytes) != string(trimSpace(text)) {
			t.Fatalf("%q became %q", text, v.Bytes)
		}
	})
}

func TestTypes(t *testing.T) {
	t.Parallel()
	c := newCommands(t)
	for text, want := range map[string]Type{
		"1": Integer, "-1": Integer, "1.5": Number, "-1e3": Number, "9223372036854775808": Number, `""`: String,
		"true": Boolean, "false": Boolean, "null": Null, "[]": Array, "{}": Object,
	} {
		mustPut(t, c, text, text)
		keys, next, err := c.Scan(nil, []byte(text), nil, 10)
		for i := range keys {
			if string(keys[i].Key) == text && (TypeOf(&keys[i]) != want || keys[i].Bytes != len(text)) {
				t.Errorf("%s: %s of %d bytes", text, TypeOf(&keys[i]), keys[i].Bytes)
			}
		}
		if len(keys) == 0 || next != nil || err != nil {
			t.Errorf("%s: %d keys, %q, %v", text, len(keys), next, err)
		}
	}
}
