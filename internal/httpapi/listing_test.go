package httpapi

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/shm"
)

type listed struct {
	Key       string
	KeyBase64 *string `json:"key_base64"`
	Type      string
	Bytes     int
	TTL       *float64
}

type page struct {
	Keys   []listed
	Cursor *string
}

// list reads all pages.
func (c *client) list(query string) (keys []listed, pages int) {
	c.t.Helper()
	for cursor := ""; ; pages++ {
		response, body := c.do("GET /v1/keys?"+query+cursor, "", "")
		var p page
		d := json.NewDecoder(strings.NewReader(body))
		d.DisallowUnknownFields()
		if err := d.Decode(&p); err != nil || response.StatusCode != 200 || pages > 10000 {
			c.t.Fatalf("%s: %d, %v: %.200s", query, response.StatusCode, err, body)
		}
		keys = append(keys, p.Keys...)
		if p.Cursor == nil {
			return keys, pages + 1
		}
		cursor = "&cursor=" + *p.Cursor
	}
}

// TestPartialDeletion: what is deleted stays so, and is counted also when the
// rest cannot be.
func TestPartialDeletion(t *testing.T) {
	t.Parallel()
	api := New(newCommands(t), noFault(t))
	ctx := newRequest(t, "DELETE /v1/keys?prefix=a")
	r := new(request)
	r.begin(ctx)
	api.refuse(r, r.replyDeleted(3, fmt.Errorf("a3: %w", shm.ErrLocked)))
	r.end()
	response := &ctx.Response
	if response.StatusCode() != 503 || string(response.Header.Peek("Retry-After")) != "1" ||
		!strings.Contains(string(response.Body()), "a process that hangs") || !strings.Contains(string(response.Body()), "deleted before that: 3") {
		t.Errorf("%v", response)
	}
}

func TestListing(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	if response, body := c.do("GET /v1/keys", "", ""); response.StatusCode != 200 || body != `{"keys":[]}` {
		t.Errorf("empty: %d %s", response.StatusCode, body)
	}
	values := map[string]string{
		"integer": "-12", "number": "1.5", "string": `"text"`, "boolean": "true", "null": "null", "array": "[1]", "object": `{"a":{}}`,
	}
	for name, text := range values {
		c.do("PUT /v1/keys/t%2F"+name, "", text)
	}
	c.do("PUT /v1/keys/t%2Fttl?ttl=1h", "", "9223372036854775808")
	c.do("PUT /v1/keys/%ff%22", "", "0")
	for i := range 250 {
		c.do(fmt.Sprintf("PUT /v1/keys/many%%20%03d", i), "", "1")
	}

	keys, _ := c.list("prefix=t/")
	for _, k := range keys {
		name := strings.TrimPrefix(k.Key, "t/")
		want := listed{Key: k.Key, Type: name, Bytes: len(values[name])}
		if name == "ttl" {
			if k.TTL == nil || *k.TTL > 3600 || *k.TTL < 3500 {
				t.Errorf("ttl: %+v", k)
			}
			k.TTL = nil
			want.Type, want.Bytes = "number", 19
		}
		if k != want {
			t.Errorf("%+v, want %+v", k, want)
		}
	}
	if len(keys) != len(values)+1 {
		t.Errorf("%d keys under t/", len(keys))
	}

	keys, _ = c.list("prefix=%ff")
	if len(keys) != 1 || keys[0].Key != "\ufffd\"" || keys[0].KeyBase64 == nil || *keys[0].KeyBase64 != base64.StdEncoding.EncodeToString([]byte("\xff\"")) {
		t.Errorf("a key that is no UTF-8: %+v", keys)
	}
	for query, want := range map[string]struct{ keys, pages int }{
		"prefix=many+":            {250, 3},
		"prefix=many%20":          {250, 3},
		"prefix=many+&limit=1000": {250, 1},
		"prefix=many+1&limit=7":   {100, 15},
		"limit=%31000":            {250 + len(values) + 2, 1},
		"prefix=&limit=1000":      {250 + len(values) + 2, 1},
		"prefix=other":            {0, 1},
	} {
		keys, pages := c.list(query)
		seen := map[string]bool{}
		for _, k := range keys {
			seen[k.Key] = true
		}
		if len(keys) != want.keys || len(seen) != want.keys || pages != want.pages {
			t.Errorf("%s: %d keys, %d of them different, %d pages", query, len(keys), len(seen), pages)
		}
	}
	if response, body := c.do("HEAD /v1/keys", "", ""); response.StatusCode != 200 || body != "" {
		t.Errorf("HEAD: %d %s", response.StatusCode, body)
	}
}

func TestListingRefuses(t *testing.T) {
	t.Parallel()
	run(t, []step{
		{"GET /v1/keys?limit=0", "", "", 400, "1 to 1000"},
		{"GET /v1/keys?limit=1001", "", "", 400, "1 to 1000"},
		{"GET /v1/keys?limit=18446744073709551617", "", "", 400, "1 to 1000"},
		{"GET /v1/keys?limit=ten", "", "", 400, "1 to 1000"},
		{"GET /v1/keys?limit=1&limit=1", "", "", 400, "twice"},
		{"GET /v1/keys?cursor=x", "", "", 400, "begin again"},
		{"GET /v1/keys?cursor=ffffffffffffffff", "", "", 400, "begin again"},
		{"GET /v1/keys?cursor=%zz", "", "", 400, "hexadecimal"},
		{"GET /v1/keys?prefix=%zz", "", "", 400, "hexadecimal"},
		{"GET /v1/keys?prefix=" + strings.Repeat("k", 513), "", "", 400, "at most 512"},
		{"GET /v1/keys?prefix=" + strings.Repeat("%6b", 513), "", "", 400, "at most 512"},
		{"GET /v1/keys?prefix=" + strings.Repeat("%6b", 512), "", "", 200, `{"keys":[]}`},
		{"GET /v1/keys?key=a", "", "", 400, "prefix, limit and cursor"},
		{"GET /v1/keys?all=true", "", "", 400, "prefix, limit and cursor"},
		{"POST /v1/keys", "", "", 405, "DELETE"},
	})
}

func TestDeleteKeys(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for i := range 30 {
		c.do(fmt.Sprintf("PUT /v1/keys/a%%20%d", i), "", "1")
		c.do(fmt.Sprintf("PUT /v1/keys/b%d", i), "", `{}`)
	}
	c.run([]step{
		{"DELETE /v1/keys", "", "", 400, "all=true"},
		{"DELETE /v1/keys?prefix=", "", "", 400, "all=true"},
		{"DELETE /v1/keys?prefix", "", "", 400, "all=true"},
		{"DELETE /v1/keys?all=false", "", "", 400, "must be true"},
		{"DELETE /v1/keys?all", "", "", 400, "must be true"},
		{"DELETE /v1/keys?all=true&prefix=a", "", "", 400, "contradict"},
		{"DELETE /v1/keys?all=true&prefix=", "", "", 400, "contradict"},
		{"DELETE /v1/keys?limit=1", "", "", 400, "prefix and all"},
		{"DELETE /v1/keys?prefix=c", "", "", 200, `{"deleted":0}`},
		{"DELETE /v1/keys?prefix=a+1", "", "", 200, `{"deleted":11}`},
		{"DELETE /v1/keys?prefix=a%20", "", "", 200, `{"deleted":19}`},
		{"PUT /args", "", `{"a":1}`, 200, `{"args":{"a":1}}`},
		{"DELETE /v1/keys?all=true", "", "", 200, `{"deleted":30}`},
		{"GET /v1/keys", "", "", 200, `{"keys":[]}`},
		{"GET /args", "", "", 200, `{"args":{"a":1}}`},
	})
}
