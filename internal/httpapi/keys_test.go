package httpapi

import (
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/shm"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	run(t, []step{
		{"GET /v1/keys/a", "", "", 404, "no such key"},
		{"HEAD /v1/keys/a", "", "", 404, ""},
		{"DELETE /v1/keys/a", "", "", 404, "no such key"},
		{"PUT /v1/keys/a", "", "41", 201, `41`},
		{"PUT /v1/keys/a", "", " -0\r\n", 200, `0`},
		{"PUT /v1/keys/a", "Content-Type: application/json; charset=utf-8\r\n", "42", 200, `42`},
		{"PUT /v1/keys/a", "Content-Type: application/vnd.x+JSON\r\n", "42", 200, `42`},
		{"GET /v1/keys/a", "", "", 200, `42`},
		{"HEAD /v1/keys/a", "", "", 200, ``},
		{"POST /v1/keys/a/increment?by=8&init=1000", "", "", 200, `{"key":"a","value":50}`},
		{"POST /v1/keys/b/increment?init=1000", "", "", 200, `{"key":"b","value":1001}`},
		{"POST /v1/keys/c/increment?init=9223372036854775807", "", "", 409, "unchanged"},
		{"GET /v1/keys/c", "", "", 404, "no such key"},
		{"PUT /v1/keys/a", "Content-Type: text/plain\r\n", "1", 415, "application/json"},
		{"PUT /v1/keys/a", "Content-Type: multipart/form-data; boundary=x\r\n", "1", 415, "application/json"},
		{"PUT /v1/keys/a", "Content-Type: +json\r\n", "1", 415, "application/json"},
		{"PUT /v1/keys/a", "Content-Type: a/b+json\r\n", "1", 415, "application/json"},
		{"PUT /v1/keys/a", "Content-Type: application/+json\r\n", "1", 415, "application/json"},
		{"PUT /v1/keys/a", "Content-Type: application/x-www-form-urlencoded\r\n", "43", 200, `43`}, // curl -d
		{"PUT /v1/keys/a", "Content-Encoding: gzip\r\n", "1", 415, "gzip"},
		{"PUT /v1/keys/a", "", "", 422, "not JSON"},
		{"PUT /v1/keys/a", "", "nope", 422, "not JSON"},
		{"PUT /v1/keys/a", "", "007", 422, "not JSON"},
		{"PUT /v1/keys/a", "", "+7", 422, "not JSON"},
		{"PUT /v1/keys/a", "", "1 2", 422, "not JSON"},
		{"PUT /v1/keys/a", "", "\"\xff\"", 422, "UTF-8"},
		{"PUT /v1/keys/a?by=1", "", "1", 400, "takes ttl"},
		{"GET /v1/keys/a?ttl=1s", "", "", 400, "takes none"},
		{"DELETE /v1/keys/a?ttl=1s", "", "", 400, "takes none"},
		{"GET /v1/keys/a", "", "", 200, `43`},
		{"PUT /v1/keys/a", "", "-9223372036854775808", 200, `-9223372036854775808`},
		{"DELETE /v1/keys/a", "", "", 204, ``},
		{"GET /v1/keys/a", "", "", 404, "no such key"},
	})
}

// TestValues: any JSON comes back as it was written, and what needs a counter
// refuses it.
func TestValues(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for i, text := range []string{
		`{"a": 1, "b":[ null ]}`, `[]`, `"text"`, `"\u00fc<&>\ud800"`, `"ü"`, `1.0`, `1e3`, `-0.0`, `9223372036854775808`,
		`-9223372036854775809`, `true`, `false`, `null`, `""`, strings.Repeat("[", 9999) + strings.Repeat("]", 9999),
	} {
		status := 200
		if i == 0 {
			status = 201
		}
		c.run([]step{
			{"PUT /v1/keys/a", "", " \t" + text + "\r\n", status, text},
			{"GET /v1/keys/a", "", "", 200, text},
			{"HEAD /v1/keys/a", "", "", 200, ""},
			{"GET /increment?key=a", "", "", 409, "not an integer"},
			{"POST /v1/keys/a/increment", "", "", 409, "unchanged"},
			{"GET /report?key=a", "", "", 409, "not an integer"},
			{"GET /count?key=a", "", "", 409, "not an integer"},
			{"GET /reset?key=a", "", "", 409, "not an integer"},
			{"GET /v1/keys/a", "", "", 200, text},
		})
	}
	c.run([]step{
		{"PUT /v1/keys/a", "", "7", 200, "7"},
		{"GET /increment?key=a", "", "", 200, `{"key":"a","count":8}`},
	})
}

func TestSizes(t *testing.T) {
	t.Parallel()
	c := newClientOf(t, newCommandsWith(t, shm.Policy{MaxValue: 1000}))
	largest := `"` + strings.Repeat("x", 998) + `"`
	c.run([]step{
		{"PUT /v1/keys/a", "", largest + strings.Repeat(" ", bodyAround), 201, largest},
		{"GET /v1/keys/a", "", "", 200, largest},
		{"PUT /v1/keys/a", "", " " + largest[:999] + `x"`, 413, "1000 bytes"},
		{"PUT /v1/keys/a", "", largest[:999] + `x"`, 413, "--max-value"},
		{"PUT /v1/keys/a", "", largest + strings.Repeat(" ", bodyAround+1), 413, "a body may have 66536 bytes"},
		{"PATCH /v1/keys/a", "", largest[:999] + `x"`, 413, "1000 bytes"},
		{"PUT /v1/keys/b", "", `{"a":"` + strings.Repeat("x", 900) + `"}`, 201, `{"a":"` + strings.Repeat("x", 900) + `"}`},
		{"PATCH /v1/keys/b", "", `{"b":"` + strings.Repeat("x", 100) + `"}`, 413, "nothing was changed"},
		{"PATCH /v1/keys/b", "", `{"a":null,` + strings.Repeat(" ", 1000) + `"b":"` + strings.Repeat("x", 100) + `"}`, 200, `{"b":"` + strings.Repeat("x", 100) + `"}`},
		{"PUT /args", "", `{"a":"` + strings.Repeat("x", 1000) + `"}`, 413, "1000 bytes"},
		{"GET /v1/keys/a", "", "", 200, largest},
		{"GET /args", "", "", 200, `{"args":{}}`},
	})
}

func TestConditions(t *testing.T) {
	t.Parallel()
	run(t, []step{
		{"PUT /v1/keys/a", "If-Match: *\r\n", "1", 412, "leave out If-Match"},
		{"PUT /v1/keys/a", "If-Match: \"x\"\r\n", "1", 412, "unchanged"},
		{"PATCH /v1/keys/a", "If-Match: *\r\n", "1", 412, "leave out If-Match"},
		{"PATCH /v1/keys/a?ttl=1h", "If-Match: *\r\n", "", 412, "leave out If-Match"},
		{"DELETE /v1/keys/a", "If-Match: *\r\n", "", 412, "no such key"},
		{"GET /v1/keys/a", "If-Match: *\r\n", "", 412, "no such key"},
		{"GET /v1/keys/a", "If-None-Match: *\r\n", "", 404, "no such key"},
		{"DELETE /v1/keys/a", "If-None-Match: \"x\"\r\n", "", 404, "no such key"},

		{"PUT /v1/keys/a", "If-None-Match: *\r\n", "[1]", 201, `[1]`},
		{"PUT /v1/keys/a", "If-None-Match: *\r\n", "[2]", 412, "exists"},
		{"PATCH /v1/keys/a", "If-None-Match: *\r\n", "[2]", 412, "exists"},
		{"DELETE /v1/keys/a", "If-None-Match: *\r\n", "", 412, "exists"},
		{"GET /v1/keys/a", "", "", 200, `[1]`},

		{"PUT /v1/keys/a", "If-Match: $ETAG\r\n", "[2]", 200, `[2]`},
		{"PUT /v1/keys/a", "If-Match: $OLD\r\n", "[3]", 412, "the ETag that it has now"},
		{"PUT /v1/keys/a", "If-Match: W/$ETAG\r\n", "[3]", 412, "If-Match"},
		{"PUT /v1/keys/a", "If-Match: \"x\", $OLD\r\nIf-Match: , \"y,z\" ,$ETAG,\r\n", "[3]", 200, `[3]`},
		{"PUT /v1/keys/a", "If-Match: *\r\n", "[4]", 200, `[4]`},
		{"PUT /v1/keys/a", "If-None-Match: $ETAG\r\n", "[5]", 412, "If-None-Match names"},
		{"PUT /v1/keys/a", "If-None-Match: W/$ETAG\r\n", "[5]", 412, "If-None-Match names"},
		{"PUT /v1/keys/a", "If-None-Match: $OLD\r\n", "[5]", 200, `[5]`},
		{"PUT /v1/keys/a", "If-Match: $ETAG\r\nIf-None-Match: $ETAG\r\n", "[6]", 412, "unchanged"},
		{"PATCH /v1/keys/a", "If-Match: $OLD\r\n", "[6]", 412, "unchanged"},
		{"PATCH /v1/keys/a", "If-Match: $ETAG\r\n", "[6]", 200, `[6]`},

		{"GET /v1/keys/a", "If-Match: $ETAG\r\n", "", 200, `[6]`},
		{"GET /v1/keys/a", "If-Match: $OLD\r\n", "", 412, "ETag"},
		{"GET /v1/keys/a", "If-None-Match: $ETAG\r\n", "", 304, ``},
		{"HEAD /v1/keys/a", "If-None-Match: $ETAG\r\n", "", 304, ``},
		{"GET /v1/keys/a", "if-none-match: \"x\" , W/$ETAG\r\n", "", 304, ``},
		{"GET /v1/keys/a", "If-None-Match: *\r\n", "", 304, ``},
		{"GET /v1/keys/a", "If-None-Match: $OLD\r\n", "", 200, `[6]`},
		{"GET /v1/keys/a", "If-Match: $OLD\r\nIf-None-Match: $ETAG\r\n", "", 412, "ETag"},
		{"GET /v1/keys/a", "If-Match: $ETAG\r\nIf-None-Match: $ETAG\r\n", "", 304, ``},
		{"GET /v1/keys/a", "If-Unmodified-Since: x\r\n", "", 200, `[6]`},

		{"DELETE /v1/keys/a", "If-Match: $OLD\r\n", "", 412, "unchanged"},
		{"DELETE /v1/keys/a", "If-None-Match: $ETAG\r\n", "", 412, "unchanged"},
		{"DELETE /v1/keys/a", "If-Match: $ETAG\r\n", "", 204, ``},
		{"DELETE /v1/keys/a", "If-Match: $ETAG\r\n", "", 412, "unchanged"},
		// The key is there again, and has no ETag that it had.
		{"PUT /v1/keys/a", "", "[6]", 201, `[6]`},
		{"PUT /v1/keys/a", "If-Match: $OLD\r\n", "[7]", 412, "unchanged"},

		// Each increment is a change.
		{"PUT /v1/keys/n", "", "1", 201, `1`},
		{"POST /v1/keys/n/increment?by=0", "", "", 200, `{"key":"n","value":1}`},
		{"POST /v1/keys/n/increment", "", "", 200, `{"key":"n","value":2}`},
		{"POST /v1/keys/n/increment?by=-1", "", "", 200, `{"key":"n","value":1}`},
		{"PUT /v1/keys/n", "If-Match: $ETAG\r\n", "5", 412, "unchanged"},
	})
}

func TestRefusedConditions(t *testing.T) {
	t.Parallel()
	run(t, []step{
		{"PUT /v1/keys/a", "", "1", 201, `1`},
		{"PUT /v1/keys/a", "If-Match: x\r\n", "2", 400, "double quotes"},
		{"PUT /v1/keys/a", "If-Match: \"x\r\n", "2", 400, "If-Match"},
		{"PUT /v1/keys/a", "If-Match:\r\n", "2", 400, "If-Match"},
		{"PUT /v1/keys/a", "If-Match: ,\r\n", "2", 400, "If-Match"},
		{"PUT /v1/keys/a", "If-Match: *, \"x\"\r\n", "2", 400, "If-Match"},
		{"PUT /v1/keys/a", "If-Match: *\r\nIf-Match: *\r\n", "2", 400, "If-Match"},
		{"PUT /v1/keys/a", "If-Match: \"x\" \"y\"\r\n", "2", 400, "If-Match"},
		{"PUT /v1/keys/a", "If-Match: w/\"x\"\r\n", "2", 400, "If-Match"},
		{"PUT /v1/keys/a", "If-None-Match: ** \r\n", "2", 400, "If-None-Match"},
		{"GET /v1/keys/a", "If-None-Match: x\r\n", "", 400, "If-None-Match"},
		{"PUT /v1/keys/a", "If-Unmodified-Since: x\r\n", "2", 400, "send If-Match"},
		{"PATCH /v1/keys/a", "If-Unmodified-Since: x\r\n", "2", 400, "send If-Match"},
		{"DELETE /v1/keys/a", "If-Unmodified-Since: x\r\n", "", 400, "send If-Match"},
		{"POST /v1/keys/a/increment", "If-Match: \"x\"\r\n", "", 400, "If-Match"},
		{"POST /v1/keys/a/increment", "if-none-match:*\r\n", "", 400, "If-None-Match"},
		{"GET /increment?key=a", "If-Unmodified-Since: x\r\n", "", 400, "If-Unmodified-Since"},
		{"POST /reset?key=a", "If-Match: *\r\n", "", 400, "If-Match"},
		{"DELETE /v1/keys?all=true", "If-Match: *\r\n", "", 400, "If-Match"},
		{"POST /v1/batch", "If-Match: *\r\n", "[]", 400, "If-Match"},
		{"PUT /args", "If-None-Match: *\r\n", "{}", 400, "If-None-Match"},
		{"GET /count?key=a", "If-None-Match: x\r\n", "", 200, "1"},
	})
}

func TestPatch(t *testing.T) {
	t.Parallel()
	merge := "Content-Type: application/merge-patch+json\r\n"
	run(t, []step{
		{"PATCH /v1/keys/a", merge, `{"a":1,"b":{"c":null}}`, 200, `{"a":1,"b":{}}`},
		{"PATCH /v1/keys/a", "Content-Type: Application/Merge-Patch+JSON; charset=utf-8\r\n", ` {"c" : [1, null], "b":null}`, 200, `{"a":1,"c":[1, null]}`},
		{"PATCH /v1/keys/a", "", `{"d":0.10}`, 200, `{"a":1,"c":[1, null],"d":0.10}`},
		{"PATCH /v1/keys/a", "Content-Type: application/json\r\n", `{}`, 200, `{"a":1,"c":[1, null],"d":0.10}`},
		{"PATCH /v1/keys/a", "Content-Type: application/x-www-form-urlencoded\r\n", `{"c":null,"d":null}`, 200, `{"a":1}`},
		{"GET /v1/keys/a", "", "", 200, `{"a":1}`},
		{"PATCH /v1/keys/a", "", `7`, 200, `7`},
		{"GET /increment?key=a", "", "", 200, `{"key":"a","count":8}`},
		{"PATCH /v1/keys/a", "", `{"n":1}`, 200, `{"n":1}`},
		{"PATCH /v1/keys/a", "", `null`, 200, `null`},
		{"GET /v1/keys/a", "", "", 200, `null`},
		{"PATCH /v1/keys/a", "", ``, 422, "?ttl="},
		{"PATCH /v1/keys/a", "", " \r\n", 422, "?ttl="},
		{"PATCH /v1/keys/a", "", `{`, 422, "not JSON"},
		{"PATCH /v1/keys/a", "Content-Type: application/json-patch+json\r\n", `[]`, 415, "merge-patch"},
		{"PATCH /v1/keys/a", "Content-Type: text/plain\r\n", `{}`, 415, "merge-patch"},
		{"PATCH /v1/keys/a", "Content-Encoding: gzip\r\n", `{}`, 415, "gzip"},
		{"PATCH /v1/keys/a?by=1", "", `{}`, 400, "takes ttl"},
		{"GET /v1/keys/a", "", "", 200, `null`},
	})
	c := newClient(t)
	response, _ := c.do("PATCH /v1/keys/a", "Content-Type: application/json-patch+json\r\n", "[]")
	if got := response.Header.Get("Accept-Patch"); response.StatusCode != 415 || got != "application/merge-patch+json" {
		t.Errorf("%d with Accept-Patch %q", response.StatusCode, got)
	}
}

// TestVersionsAreTold: every reply about a key's value has the ETag that the
// key then has.
func TestVersionsAreTold(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	seen := map[string]string{}
	for _, s := range []step{
		{line: "PUT /v1/keys/a", body: "1"},
		{line: "PUT /v1/keys/a", body: "2"},
		{line: "PATCH /v1/keys/a", body: `{"a":1}`},
		{line: "PUT /v1/keys/a?ttl=1h", body: `{"a":1}`},
		{line: "PATCH /v1/keys/a?ttl=none", body: `{"a":1}`},
		{line: "PUT /v1/keys/a", body: "9223372036854775807"},
	} {
		response, _ := c.do(s.line, "", s.body)
		etag := response.Header.Get("ETag")
		for _, line := range []string{"GET /v1/keys/a", "HEAD /v1/keys/a", "PATCH /v1/keys/a?ttl=2h"} {
			response, body := c.do(line, "", "")
			if got := response.Header.Get("ETag"); got != etag || len(etag) < 3 || etag[0] != '"' || etag[len(etag)-1] != '"' {
				t.Errorf("%s %s: ETag %s, then %s: %s", s.line, s.body, etag, got, body)
			}
		}
		if before, again := seen[etag]; again {
			t.Errorf("%s %s: the ETag of %s", s.line, s.body, before)
		}
		seen[etag] = s.line + " " + s.body
	}
}
