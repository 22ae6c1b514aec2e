package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/master"
	"github.com/fondue-server/fondue/internal/shm"
)

func TestParsePreload(t *testing.T) {
	t.Parallel()
	keys, err := parsePreload([]byte("\n { \"b\": 2, \"a\": -9223372036854775808,\n \"\\u00e9/ \": 9223372036854775807, " +
		"\"o\": {\"x\" :\n[1.0, null]}, \"n\": null, \"s\": \"1\", \"big\": 9223372036854775808 } \n"))
	want := []master.Preload{
		{Key: "b", Value: shm.IntegerValue(2)},
		{Key: "a", Value: shm.IntegerValue(-1 << 63)},
		{Key: "é/ ", Value: shm.IntegerValue(1<<63 - 1)},
		{Key: "o", Value: shm.BytesValue([]byte("{\"x\" :\n[1.0, null]}"))},
		{Key: "n", Value: shm.BytesValue([]byte("null"))},
		{Key: "s", Value: shm.BytesValue([]byte(`"1"`))},
		{Key: "big", Value: shm.BytesValue([]byte("9223372036854775808"))},
	}
	if err != nil || !reflect.DeepEqual(keys, want) {
		t.Errorf("%v, %v; want %v", keys, err, want)
	}
	if keys, err := parsePreload([]byte("{}")); err != nil || len(keys) != 0 {
		t.Errorf("{}: %v, %v", keys, err)
	}
}

func TestParsePreloadRefuses(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"":                                       "empty",
		"  \n":                                   "empty",
		"[1]":                                    "array",
		"null":                                   "null",
		"3":                                      "number 3",
		`"x"`:                                    "string",
		"true":                                   "boolean",
		`{"a":1`:                                 "ends in the middle",
		`{"a"`:                                   "ends in the middle",
		`{"a":1,}`:                               "line 1",
		"{\n\"a\": 1\n\"b\": 2}":                 "line 3",
		`{"a":1} {}`:                             "after the end",
		`{"a":1} x`:                              "after the end",
		`{"a":1,"a":2}`:                          `"a" is there twice`,
		`{"a":tru}`:                              "line 1",
		`{"a":01}`:                               "line 1",
		`{"a":1,"b\ud800":2}`:                    `key "b\ud800" has half of a surrogate pair`,
		`{"":1}`:                                 "0 bytes",
		`{"` + strings.Repeat("k", 513) + `":1}`: "513 bytes",
		"{\"\xff\":1}":                           "UTF-8",
		"{'a':1}":                                "line 1",
	}
	for text, want := range cases {
		keys, err := parsePreload([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, error %v; want %q", text, keys, err, want)
		}
	}
}

func TestCompactArgs(t *testing.T) {
	t.Parallel()
	args, err := compactArgs([]byte(" {\n \"a\" : [1, 2.5, null],\n \"b\": {\"c\": \" x \"} }\n"))
	if want := `{"a":[1,2.5,null],"b":{"c":" x "}}`; err != nil || string(args) != want {
		t.Errorf("%s, %v; want %s", args, err, want)
	}
}

func FuzzMembers(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"a":1}`, `{"a":{"b":[1,2]},"c":"\u0000"}`, `{"a":1,"a":2}`, "[{}]", "{\n\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := members(text)
		if err != nil && strings.TrimSpace(err.Error()) == "" {
			t.Error("an error without words")
		}
		if err == nil && len(list) > len(text) {
			t.Errorf("%d members in %d bytes", len(list), len(text))
		}
	})
}
