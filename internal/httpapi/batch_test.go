package httpapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/command"
)

func TestBatch(t *testing.T) {
	t.Parallel()
	results := func(list ...string) string { return `{"results":[` + strings.Join(list, ",") + `]}` }
	missing := `{"status":404,"title":"Not Found","detail":"no such key; PUT it or increment it first"}`
	run(t, []step{
		{"POST /v1/batch", "", ` [ ] `, 200, results()},
		{"POST /v1/batch", "", `[{"op":"get","key":"a"},{"op":"delete","key":"a"}]`, 200, results(missing, missing)},
		{"PUT /v1/keys/e", "", `[1]`, 201, `[1]`},
		{"POST /v1/batch", "", `[{"op":"get","key":"e"}]`, 200, results(`{"status":200,"value":[1],"etag":"$ETAG"}`)},
		{
			"POST /v1/batch", "", `[{"op":"increment","key":"n"},{"op":"increment","by":-5,"init":10,"key":"m","ttl":"1h"},{"key":"n","op":"increment","by":41}]`,
			200, results(`{"status":200,"value":1}`, `{"status":200,"value":5}`, `{"status":200,"value":42}`),
		},
		{"GET /v1/keys/n", "", "", 200, "42"},
		{"POST /v1/batch", "", `[{"op":"get","key":"n"}]`, 200, results(`{"status":200,"value":42,"etag":"$ETAG"}`)},
		{"POST /v1/batch", "", `[{"op":"delete","key":"n"},{"op":"delete","key":"m"}]`, 200, results(`{"status":204}`, `{"status":204}`)},
		{"GET /v1/keys/m", "", "", 404, "no such key"},
		// One that fails stops nothing.
		{"POST /v1/batch", "", `[{"op":"increment","key":"e"},{"op":"increment","key":"n","init":9223372036854775807},{"op":"increment","key":"n"}]`, 200, results(
			`{"status":409,"title":"Conflict","detail":"the key holds a value that is not an integer, and it is unchanged; GET /v1/keys/{key} reads it, PUT replaces it"}`,
			`{"status":409,"title":"Conflict","detail":"the sum does not fit a signed 64-bit integer; the value is unchanged"}`,
			`{"status":200,"value":1}`)},
		// Keys of any bytes.
		{"POST /v1/batch", "", `[{"op":"increment","key":"\u00fc \/\ud83d\ude00\ufffd�"},{"op":"increment","key_base64":"/yI="}]`, 200, results(`{"status":200,"value":1}`, `{"status":200,"value":1}`)},
		{"GET /v1/keys/ü%20%2F😀\ufffd\ufffd", "", "", 200, "1"},
		{"GET /v1/keys/%ff%22", "", "", 200, "1"},
	})
}

type result struct {
	Status        int
	Value         json.RawMessage
	ETag          string
	TTL           float64
	Title, Detail string
}

func (c *client) batch(body string) []result {
	c.t.Helper()
	response, text := c.do("POST /v1/batch", "", body)
	var got struct{ Results []result }
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&got); err != nil || response.StatusCode != 200 {
		c.t.Fatalf("%.200s: %d, %v: %.200s", body, response.StatusCode, err, text)
	}
	return got.Results
}

// TestBatchDoesAsRoutesDo: statuses, versions and times to live are those that
// the routes of one key answer.
func TestBatchDoesAsRoutesDo(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	first := c.batch(`[
		{"op":"put","key":"a","value":{"n": 0.10},"if_none_match":"*"},
		{"op":"get","key":"a"},
		{"op":"put","key":"a","value":[],"if_none_match":"*"},
		{"op":"patch","key":"a","value":{"b":null,"c":1},"ttl":90.5},
		{"op":"get","key":"a"},
		{"op":"patch","key":"a","ttl":"none"},
		{"op":"patch","key":"new","value":5},
		{"op":"put","key":"a","value":-0,"ttl":"1h"}
	]`)
	for i, want := range []result{
		{Status: 201},
		{Status: 200, Value: json.RawMessage(`{"n": 0.10}`)},
		{Status: 412},
		{Status: 200, Value: json.RawMessage(`{"n": 0.10,"c":1}`), TTL: 90.5},
		{Status: 200, Value: json.RawMessage(`{"n": 0.10,"c":1}`), TTL: 90.5},
		{Status: 200, Value: json.RawMessage(`{"n": 0.10,"c":1}`)},
		{Status: 200, Value: json.RawMessage(`5`)},
		{Status: 200, TTL: 3600},
	} {
		got := first[i]
		if got.Status != want.Status || string(got.Value) != string(want.Value) || got.TTL > want.TTL || got.TTL < want.TTL-20 || (got.TTL > 0) != (want.TTL > 0) {
			t.Errorf("operation %d: %+v, want %+v", i, got, want)
		}
		if (got.ETag == "") != (got.Status >= 400) || (got.Detail == "") != (got.Status < 400) {
			t.Errorf("operation %d: %+v", i, got)
		}
	}
	if first[0].ETag != first[1].ETag || first[3].ETag != first[4].ETag || first[3].ETag == first[0].ETag || first[5].ETag != first[4].ETag {
		t.Errorf("etags of %+v", first)
	}
	response, _ := c.do("GET /v1/keys/a", "", "")
	now := strings.Trim(response.Header.Get("ETag"), `"`)
	if now != first[7].ETag {
		t.Errorf("etag %s, then %s", first[7].ETag, now)
	}
	tags := strings.NewReplacer("$NOW", now, "$OLD", first[0].ETag)
	for _, s := range []struct {
		operation string
		status    int
	}{
		{`{"op":"get","key":"a","if_match":"$NOW"}`, 200},
		{`{"op":"get","key":"a","if_match":"*"}`, 200},
		{`{"op":"get","key":"a","if_match":"\"$NOW\""}`, 200},
		{`{"op":"get","key":"a","if_match":"\"x\", \"$NOW\""}`, 200},
		{`{"op":"get","key":"a","if_match":"$OLD"}`, 412},
		{`{"op":"get","key":"a","if_none_match":"$NOW"}`, 304},
		{`{"op":"get","key":"a","if_none_match":"W/\"$NOW\""}`, 304},
		{`{"op":"get","key":"a","if_none_match":"*"}`, 304},
		{`{"op":"get","key":"a","if_none_match":"$OLD"}`, 200},
		{`{"op":"put","key":"a","value":1,"if_match":"$OLD"}`, 412},
		{`{"op":"put","key":"a","value":1,"if_match":"W/\"$NOW\""}`, 412},
		{`{"op":"patch","key":"a","value":1,"if_match":"$OLD"}`, 412},
		{`{"op":"patch","key":"a","ttl":1,"if_match":"$OLD"}`, 412},
		{`{"op":"delete","key":"a","if_match":"$OLD"}`, 412},
		{`{"op":"delete","key":"a","if_none_match":"$NOW"}`, 412},
		{`{"op":"delete","key":"none","if_match":"*"}`, 412},
		{`{"op":"delete","key":"a","if_match":"$NOW"}`, 204},
	} {
		if got := c.batch("[" + tags.Replace(s.operation) + "]"); len(got) != 1 || got[0].Status != s.status {
			t.Errorf("%s: %+v, want %d", s.operation, got, s.status)
		} else if s.status == 304 && (got[0].ETag != now || got[0].Value != nil) {
			t.Errorf("%s: %+v", s.operation, got)
		}
	}
}

// TestBatchRefuses: a batch that is not of the right form does nothing at all.
func TestBatchRefuses(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	done := `{"op":"increment","key":"done"},`
	for operation, want := range map[string]string{
		`5`:                       "must be an object",
		`null`:                    "must be an object",
		`[]`:                      "must be an object",
		`{}`:                      "op is missing",
		`{"op":"get"}`:            "key is missing",
		`{"op":"Get","key":"a"}`:  "not \"Get\"",
		`{"op":"incr","key":"a"}`: "get, put, patch, delete or increment",
		`{"op":5,"key":"a"}`:      "op must be a string",
		`{"op":null,"key":"a"}`:   "op must be a string",
		`{"op":"get","key":5}`:    "key must be a string",
		`{"op":"get","key":""}`:   "1 to 512",
		`{"op":"get","key":"` + strings.Repeat("k", 513) + `"}`:   "1 to 512",
		`{"op":"get","key":"a","key":"a"}`:                        "twice",
		`{"op":"get","key":"a","\u006bey":"a"}`:                   "twice",
		`{"op":"get","key":"a","Key":"b"}`:                        `"Key" is unknown`,
		`{"op":"get","key":"a","vlaue":1}`:                        "op, key, key_base64, value, by, init, ttl, if_match and if_none_match",
		`{"op":"get","key":"a","value":1}`:                        "get does not take the member value",
		`{"op":"get","key":"a","ttl":1}`:                          "get does not take",
		`{"op":"delete","key":"a","by":1}`:                        "delete does not take",
		`{"op":"put","key":"a","value":1,"init":1}`:               "put does not take",
		`{"op":"increment","key":"a","if_match":"*"}`:             "increment does not take",
		`{"op":"increment","key":"a","value":1}`:                  "increment does not take",
		`{"op":"put","key":"a"}`:                                  "put needs a value",
		`{"op":"patch","key":"a"}`:                                "patch needs a value",
		`{"op":"patch","key":"a","if_match":"*"}`:                 "patch needs a value",
		`{"op":"increment","key":"a","by":1.0}`:                   "by must be an integer",
		`{"op":"increment","key":"a","by":"1"}`:                   "by must be an integer",
		`{"op":"increment","key":"a","by":1e3}`:                   "by must be an integer",
		`{"op":"increment","key":"a","by":null}`:                  "by must be an integer",
		`{"op":"increment","key":"a","init":9223372036854775808}`: "init must be an integer",
		`{"op":"put","key":"a","value":1,"ttl":0}`:                "at least 1ms",
		`{"op":"put","key":"a","value":1,"ttl":0.0006}`:           "at least 1ms",
		`{"op":"put","key":"a","value":1,"ttl":"0.5ms"}`:          "at least 1ms",
		`{"op":"put","key":"a","value":1,"ttl":-1}`:               "at least 1ms",
		`{"op":"put","key":"a","value":1,"ttl":"30"}`:             "write 30s",
		`{"op":"put","key":"a","value":1,"ttl":"none"}`:           "such as 30s",
		`{"op":"put","key":"a","value":1,"ttl":null}`:             "ttl must be a number of seconds",
		`{"op":"put","key":"a","value":1,"ttl":[1]}`:              "ttl must be a number of seconds",
		`{"op":"get","key":"a","if_match":5}`:                     "if_match must be a string",
		`{"op":"get","key":"a","if_match":""}`:                    "if_match must be *",
		`{"op":"get","key":"a","if_match":"a, b"}`:                "if_match must be *",
		`{"op":"get","key":"a","if_none_match":"\"a"}`:            "if_none_match must be *",
		`{"op":"get","key":"a","key_base64":"YQ=="}`:              "both there",
		`{"op":"get","key_base64":"YQ"}`:                          "key_base64 must be base64",
		`{"op":"get","key_base64":"_w=="}`:                        "key_base64 must be base64",
		`{"op":"get","key_base64":"YR=="}`:                        "key_base64 must be base64",
		`{"op":"get","key_base64":""}`:                            "1 to 512",
		`{"op":"get","key_base64":5}`:                             "key_base64 must be a string",
		`{"op":"get","key":"\ud800"}`:                             "surrogate",
		`{"op":"get","key":"\ufffd\\ufffd\udc00x"}`:               "surrogate",
		`{"op":"get","key":"\ud800\ud800\udc00"}`:                 "surrogate",
	} {
		response, body := c.do("POST /v1/batch", "", "["+done+operation+"]")
		detail := checkProblem(t, operation, response, body)
		if response.StatusCode != 422 || !strings.Contains(detail, want) || !strings.Contains(detail, "operation 1,") {
			t.Errorf("%s: %d %s, want %q", operation, response.StatusCode, detail, want)
		}
	}
	many := func(n int) string { return "[" + strings.Repeat(done, n-1) + strings.TrimSuffix(done, ",") + "]" }
	c.run([]step{
		{"POST /v1/batch", "", "", 422, "not JSON"},
		{"POST /v1/batch", "", "[" + done + "]", 422, "not JSON"},
		{"POST /v1/batch", "", "[" + done + `{"op":"get","key":"` + "\xff" + `"}]`, 422, "UTF-8"},
		{"POST /v1/batch", "", `{"op":"get","key":"a"}`, 422, "array"},
		{"POST /v1/batch", "", `5`, 422, "array"},
		{"POST /v1/batch", "Content-Type: text/plain\r\n", "[]", 415, "application/json"},
		{"POST /v1/batch?key=a", "", "[]", 400, "takes none"},
		{"POST /v1/batch", "", many(command.MaxBatch + 1), 413, "1000 operations"},
		{"POST /v1/batch", "", "[" + strings.Repeat(" ", MaxBody(c.commands.MaxValue())) + "]", 413, "a body may have"},
		{"GET /v1/keys", "", "", 200, `{"keys":[]}`},
	})
	if got := c.batch(many(command.MaxBatch)); len(got) != command.MaxBatch || string(got[command.MaxBatch-1].Value) != "1000" {
		t.Errorf("%d results, the last %+v", len(got), got[len(got)-1])
	}
}

// TestBatchReplyIsBounded: a small request cannot ask for gigabytes.
func TestBatchReplyIsBounded(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	large := `"` + strings.Repeat("x", int(c.commands.MaxValue())-2) + `"`
	c.do("PUT /v1/keys/large", "", large)
	got := c.batch("[" + strings.Repeat(`{"op":"get","key":"large"},`, 99) + `{"op":"increment","key":"n"}]`)
	whole, refused := 0, 0
	for _, r := range got[:99] {
		switch {
		case r.Status == 200 && refused == 0 && string(r.Value) == large:
			whole++
		case r.Status == 413 && strings.Contains(r.Detail, "another batch"):
			refused++
		default:
			t.Fatalf("%d %s after %d values", r.Status, r.Detail, whole)
		}
	}
	if whole == 0 || refused == 0 || got[99].Status != 200 {
		t.Errorf("%d values, %d refused, then %+v", whole, refused, got[99])
	}
}

// TestBatchIsInOrder: operations see what those before them did.
func TestBatchIsInOrder(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	var operations []string
	for i := range 300 {
		operations = append(operations, fmt.Sprintf(`{"op":"patch","key":"a","value":{"m%d":%d,"m%d":null}}`, i, i, i-1))
	}
	got := c.batch("[" + strings.Join(operations, ",") + "]")
	for i, r := range got {
		if want := fmt.Sprintf(`{"m%d":%d}`, i, i); string(r.Value) != want {
			t.Fatalf("operation %d: %s, want %s", i, r.Value, want)
		}
	}
}
