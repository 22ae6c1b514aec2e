package dump

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"github.com/fondue-server/fondue/internal/shm"
)

// TestReadRefuses: every error names the line, and what would be right.
func TestReadRefuses(t *testing.T) {
	t.Parallel()
	const good = `{"key":"a","value":1}` + "\n"
	for bad, says := range map[string]string{
		`{"key":"a","value":1`:               "cut off",
		`{"key":"a","val`:                    "cut off",
		`{"key":"a"`:                         "cut off",
		`{`:                                  "cut off",
		`{"key":"a","value":tru}`:            "not JSON, at byte 23",
		`{"key":"a",,"value":1}`:             "not JSON, at byte 12",
		`{'key':"a","value":1}`:              "not JSON, at byte 2",
		"{\"key\":\"a\",\"value\":\"\x01\"}": "not JSON",
		"{\"key\":\"\xff\",\"value\":1}":     "key_base64",
		`{"key":"\ud800","value":1}`:         `the key "\ud800" has half of a surrogate pair, which no UTF-8 has; write the bytes of the key as key_base64`,
		`{"key":"\udc00\ud800","value":1}`:   "surrogate",
		`{"key_base64":"\ud800","value":1}`:  "surrogate",
		`[1]`:                                "not a JSON object",
		`"a"`:                                "not a JSON object",
		`null`:                               "not a JSON object",
		`{"key":"a","value":1} {"key":"b","value":1}`:          "line of its own",
		`{"key":"a","value":1}x`:                               "line of its own",
		`{"key":"a","value":1,"tll":3}`:                        `"tll" is unknown`,
		`{"KEY":"a","value":1}`:                                `"KEY" is unknown`,
		`{"key":"a","value":1,"value":2}`:                      `"value" is there twice`,
		`{"key":"a","key":null,"value":1}`:                     `"key" is there twice`,
		`{"key":"a","key_base64":"YQ==","value":1}`:            "both key and key_base64",
		`{"value":1}`:                                          "key is missing",
		`{}`:                                                   "key is missing",
		`{"key":"a"}`:                                          "value is missing",
		`{"key":1,"value":1}`:                                  "key is no string",
		`{"key":null,"value":1}`:                               "key is no string",
		`{"key_base64":["YQ=="],"value":1}`:                    "key_base64 is no string",
		`{"key_base64":"YQ","value":1}`:                        "RFC 4648",
		`{"key_base64":"YR==","value":1}`:                      "RFC 4648",
		`{"key_base64":"","value":1}`:                          "0 bytes",
		`{"key":"","value":1}`:                                 "0 bytes",
		`{"key":"` + strings.Repeat("k", 513) + `","value":1}`: "513 bytes",
		`{"key_base64":"` + strings.Repeat("YWFh", 171) + `","value":1}`: "513 bytes",
		`{"key":"a","value":1,"ttl":0}`:                                  `is "0"; leave it out`,
		`{"key":"a","value":1,"ttl":-1}`:                                 `is "-1"`,
		`{"key":"a","value":1,"ttl":0.0001}`:                             "at least 1ms",
		`{"key":"a","value":1,"ttl":0.0006}`:                             "at least 1ms",
		`{"key":"a","value":1,"ttl":"0.5ms"}`:                            "at least 1ms",
		`{"key":"a","value":1,"ttl":1e300}`:                              "at most 3650d",
		`{"key":"a","value":1,"ttl":315360001}`:                          "at most 3650d",
		`{"key":"a","value":1,"ttl":null}`:                               "not null; leave it out",
		`{"key":"a","value":1,"ttl":true}`:                               "not true",
		`{"key":"a","value":1,"ttl":"30"}`:                               "write 30s",
		`{"key":"a","value":1,"ttl":"s"}`:                                `not "s"`,
		`{"key":"a","value":1,"ttl":"30s "}`:                             `not "30s "`,
		`{"key":"a","value":1,"ttl":"-30s"}`:                             `not "-30s"`,
		`{"key":"a","value":1,"ttl":"1.2.3s"}`:                           `not "1.2.3s"`,
		`{"key":"a","value":1,"ttl":"1us"}`:                              `not "1us"`,
		`{"key":"a","value":1,"ttl":""}`:                                 `not ""`,
		`{"key":"a","value":1,"ttl":"0s"}`:                               `is "0s"`,
		`{"key":"a","value":` + strings.Repeat("[", 10001) + ``:          "not JSON",
		`{"key":"a","value":` + "\n" + `1}`:                              "cut off",
	} {
		in, err := Read(strings.NewReader(good + "\n" + bad + "\n" + good))
		if err == nil || in != nil {
			t.Errorf("%.80s passes", bad)
			continue
		}
		if !strings.HasPrefix(err.Error(), "line 3: ") || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.80s: %v; want line 3 and %q", bad, err, says)
		}
	}
}

// TestReadBoundsALine: what is no dump at all does not fill the memory.
func TestReadBoundsALine(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs 64 MiB")
	}
	zeros, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer zeros.Close()
	if in, err := Read(zeros); in != nil || err == nil || !strings.Contains(err.Error(), "line 1: longer than") {
		t.Errorf("%v, %v", in, err)
	}
	largest := `{"key":"a","value":"` + strings.Repeat("x", shm.MaxMaxValue-2) + `"}`
	if in := mustRead(t, largest); len(in.lines) != 1 || len(in.lines[0].Value.Bytes) != shm.MaxMaxValue {
		t.Error("the largest value is not read")
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	in := mustRead(t, "\n {\"ttl\" : \"1h30m\", \"value\": {\"a\" : 1} ,\"key\":\"b\"} \r\n\t\n"+
		`{"key":"a","value":1}`+"\n"+`{"key":"a","value":-0,"ttl":29.512}`+"\n"+
		`{"key_base64":"YQ==","value":9223372036854775808}`) // no newline at the end
	want := []line{
		{2, Record{Key: []byte("b"), Value: shm.BytesValue([]byte(`{"a" : 1}`)), TTL: 90 * time.Minute}},
		{6, Record{Key: []byte("a"), Value: shm.BytesValue([]byte("9223372036854775808"))}}, // the last of three
	}
	if fmt.Sprint(in.lines) != fmt.Sprint(want) {
		t.Errorf("got %v\nwant %v", in.lines, want)
	}
	for text, want := range map[string]time.Duration{
		"29.512": 29512 * time.Millisecond, "0.001": time.Millisecond, "1e3": 1000 * time.Second, "315360000": 3650 * 24 * time.Hour,
		`"1500ms"`: 1500 * time.Millisecond, `"1d2h3m4.5s"`: 26*time.Hour + 3*time.Minute + 4500*time.Millisecond, `"7d"`: 7 * 24 * time.Hour,
		"0.0015": 2 * time.Millisecond, `"1.5ms"`: 2 * time.Millisecond,
		"100000000.001": 100000000001 * time.Millisecond,
	} {
		in := mustRead(t, `{"key":"a","value":1,"ttl":`+text+`}`)
		if got := in.lines[0].TTL; got != want {
			t.Errorf("ttl %s: %v, want %v", text, got, want)
		}
	}
	if in := mustRead(t, " \n"); len(in.lines) != 0 {
		t.Errorf("%v", in.lines)
	}
}

// TestReadPassesOnFailure: what cannot be read to its end is not taken for
// what it begins with.
func TestReadPassesOnFailure(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	in, err := Read(io.MultiReader(strings.NewReader(`{"key":"a","value":1}`+"\n"), iotest.ErrReader(broken)))
	if in != nil || !errors.Is(err, broken) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("%v, %v", in, err)
	}
}

func TestCheckSizes(t *testing.T) {
	t.Parallel()
	in := mustRead(t, `{"key":"n","value":-9223372036854775808}`+"\n"+`{"key":"a","value":"1234567890"}`)
	if err := in.CheckSizes(12); err != nil {
		t.Error(err)
	}
	err := in.CheckSizes(11)
	if !errors.Is(err, shm.ErrValueTooLarge) || !strings.HasPrefix(err.Error(), "line 2:") || !strings.Contains(err.Error(), "--max-value") {
		t.Errorf("%v", err)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	store := newStore(t, 4<<20)
	put(t, store, Record{Key: []byte("a"), Value: shm.IntegerValue(1), TTL: time.Hour})
	in := mustRead(t, `{"key":"a","value":2}`+"\n"+`{"key":"b","value":3,"ttl":60}`+"\n"+`{"key":"b","value":4}`)
	if done, err := Load(store, in, true); err != nil || done != (Result{Loaded: 1, Kept: 1}) {
		t.Errorf("if absent: %+v, %v", done, err)
	}
	for key, want := range map[string]int64{"a": 1, "b": 4} {
		if item, err := store.Read(nil, []byte(key)); err != nil || item.Int != want || (item.TTL > 0) != (key == "a") {
			t.Errorf("if absent: %s is %+v, %v", key, item, err)
		}
	}
	if done, err := Load(store, in, false); err != nil || done != (Result{Loaded: 2}) {
		t.Errorf("%+v, %v", done, err)
	}
	if item, err := store.Read(nil, []byte("a")); err != nil || item.Int != 2 || item.TTL != 0 {
		t.Errorf("a is %+v, %v", item, err)
	}
}

// TestLoadIntoFull: the error tells the line, the result what is there.
func TestLoadIntoFull(t *testing.T) {
	t.Parallel()
	store := newStore(t, 1<<20)
	var text bytes.Buffer
	for i := range 200 {
		fmt.Fprintf(&text, `{"key":"%d","value":"%s"}`+"\n", i, strings.Repeat("x", 20000))
	}
	done, err := Load(store, mustRead(t, text.String()), false)
	if !errors.Is(err, shm.ErrFull) || !strings.HasPrefix(err.Error(), fmt.Sprintf("line %d: key \"%d\"", done.Loaded+1, done.Loaded)) {
		t.Errorf("%+v, %v", done, err)
	}
	if lines := save(t, store, ""); len(lines) != done.Loaded || done.Loaded == 0 {
		t.Errorf("%d keys are there, %d loaded", len(lines), done.Loaded)
	}
}

// TestAnyRecord: every line that is written reads as what was written.
func TestAnyRecord(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := Record{
			Key:   rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "key"),
			Value: shm.IntegerValue(rapid.Int64().Draw(t, "integer")),
			TTL:   time.Duration(rapid.Int64Range(0, 3650*24*3600*1000).Draw(t, "ttl")) * time.Millisecond,
		}
		if rapid.Bool().Draw(t, "text") {
			r.Key = []byte(rapid.StringN(1, 20, 80).Draw(t, "name"))
		}
		if rapid.Bool().Draw(t, "bytes") {
			text := base64.StdEncoding.EncodeToString(rapid.SliceOf(rapid.Byte()).Draw(t, "value"))
			r.Value = shm.BytesValue([]byte(`["` + text + `"]`))
		}
		line, err := r.appendLine(nil)
		if err != nil || bytes.Count(line, []byte("\n")) != 1 {
			t.Fatalf("%q, %v", line, err)
		}
		back, err := parseLine(line)
		if err != nil || !bytes.Equal(back.Key, r.Key) || back.TTL != r.TTL || back.Value.Integer != r.Value.Integer ||
			back.Value.Int != r.Value.Int || !bytes.Equal(back.Value.Bytes, r.Value.Bytes) {
			t.Fatalf("%+v became %+v, %v by %s", r, back, err, line)
		}
	})
}

// FuzzRead: any text is a dump or a refusal with a line; what is a dump can be
// written and read again.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"", `{"key":"a","value":1}`, `{"key_base64":"/wA=","value":{"a":[1,2]},"ttl":29.512}` + "\n\n" + `{"key":"b","value":null,"ttl":"1h"}`,
		`{"key":"a","value":1,"value":2}`, "{\"key\":\"\xff\"}", `{"key":"\ud800","value":"\ud800"}`, `{"key":"a","value":1e400}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		in, err := Read(bytes.NewReader(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "line ") {
				t.Errorf("error %v", err)
			}
			return
		}
		for _, l := range in.lines {
			written, err := l.appendLine(nil)
			if err != nil {
				t.Fatalf("%+v: %v", l, err)
			}
			back, err := parseLine(written)
			if err != nil || !bytes.Equal(back.Key, l.Key) || back.TTL != l.TTL || back.Value.Int != l.Value.Int {
				t.Errorf("%+v became %+v, %v", l.Record, back, err)
			}
		}
	})
}
