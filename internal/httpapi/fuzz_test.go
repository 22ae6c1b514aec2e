package httpapi

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/command"
)

// mustAnswer runs one request on the handler and checks that it was answered by
// JSON: a result or a problem.
func mustAnswer(t *testing.T, api *API, method, target string) *fasthttp.RequestCtx {
	ctx := new(fasthttp.RequestCtx)
	ctx.Request.Header.SetMethod(method)
	ctx.Request.Header.SetRequestURI(target)
	api.Handle(ctx)
	body := ctx.Response.Body()
	if ctx.Response.StatusCode() == fasthttp.StatusNoContent || isFile(ctx) {
		return ctx
	}
	if !json.Valid(body) || !utf8.Valid(body) {
		t.Fatalf("%s %q: %d with a body that is not JSON: %q", method, target, ctx.Response.StatusCode(), body)
	}
	if ctx.Response.StatusCode() >= 500 && ctx.Response.StatusCode() != fasthttp.StatusInsufficientStorage {
		t.Fatalf("%s %q: %d %s", method, target, ctx.Response.StatusCode(), body)
	}
	return ctx
}

// isFile tells whether the answer is a file of the page, or the document, which
// may be compressed.
func isFile(ctx *fasthttp.RequestCtx) bool {
	return ctx.Response.StatusCode() == fasthttp.StatusOK && len(ctx.Response.Header.Peek(fasthttp.HeaderXContentTypeOptions)) > 0
}

// FuzzKeyPath: whatever bytes a key has, its encoded form names that key, and
// its raw form is answered.
func FuzzKeyPath(f *testing.F) {
	for _, key := range []string{"a", "a/b", "..", "//", "\x00", "%2F", "a b+c", "ü", "\xff\xfe", "increment", "?#&="} {
		f.Add(key)
	}
	api := New(newCommands(f), noFault(f))
	f.Fuzz(func(t *testing.T, key string) {
		mustAnswer(t, api, "GET", "/v1/keys/"+key)
		mustAnswer(t, api, "POST", "/v1/keys/"+key+"/increment")

		path := "/v1/keys/" + url.PathEscape(key)
		mustAnswer(t, api, "DELETE", path)
		ctx := mustAnswer(t, api, "POST", path+"/increment")
		legal := len(key) >= 1 && len(key) <= 512
		if status := ctx.Response.StatusCode(); (status == 200) != legal && status != 507 {
			t.Fatalf("increment of %q: %d", key, status)
		}
		if ctx.Response.StatusCode() == 200 {
			var got struct {
				Key   string
				Value int64
			}
			if err := json.Unmarshal(ctx.Response.Body(), &got); err != nil || got.Value != 1 ||
				utf8.ValidString(key) && got.Key != key {
				t.Fatalf("increment of %q: %s", key, ctx.Response.Body())
			}
			// The same key by the query is the same counter.
			ctx = mustAnswer(t, api, "GET", "/reset?key="+url.QueryEscape(key))
			var reset struct{ Previous int64 }
			if err := json.Unmarshal(ctx.Response.Body(), &reset); err != nil || reset.Previous != 1 {
				t.Fatalf("reset of %q: %s", key, ctx.Response.Body())
			}
		}
		mustAnswer(t, api, "DELETE", path)
	})
}

// FuzzQuery: any target is answered.
func FuzzQuery(f *testing.F) {
	for _, target := range []string{
		"/increment?key=a&by=1", "/increment?by=9223372036854775808", "/report?key=%", "/v1/keys/a/increment?by=%2B1&init=-1&ttl=1h",
		"http://h/count?key=a", "/?", "*", "", "://", "a://", "/increment?by=1&by=1", "/increment?%6bey=a#",
		"/v1/keys?prefix=%ff&limit=2&cursor=1-2", "/v1/keys?all=true", "/v1/region", "/v1/keys/a?ttl=1.5d",
		"/openapi.json", "/docs", "/docs/swagger-ui.css", "/docs/", "/docs/../openapi.json", "/", "/ui/dashboard.js", "/ui/", "//",
	} {
		f.Add("GET", target)
	}
	f.Add("OPTIONS", "*")
	f.Add("PUT", "/args")
	f.Add("PATCH", "/v1/keys/a?ttl=none")
	f.Add("DELETE", "/v1/keys?prefix=a")
	f.Add("POST", "/v1/batch")
	api := New(newCommands(f), noFault(f))
	f.Fuzz(func(t *testing.T, method, target string) {
		mustAnswer(t, api, method, target)
	})
}

// statuses are those that a request can be answered with, as long as nothing is
// wrong with the region.
var statuses = []int{200, 201, 204, 304, 400, 404, 405, 409, 412, 413, 415, 417, 422, 431, 505, 507}

// FuzzRequest: whatever a request is, its answer is one that is documented:
// JSON, or a problem, or nothing where there is nothing to say.
func FuzzRequest(f *testing.F) {
	for _, s := range []struct{ method, target, header, body string }{
		{"GET", "/v1/keys/a", "If-None-Match: W/\"1\", *\r\n", ""},
		{"PUT", "/v1/keys/a?ttl=30s", "If-Match: \"1-2-3\"\r\n", `{"a":[1,null]}`},
		{"PUT", "/v1/keys/a", "Expect: 100-continue\r\n", "7"},
		{"PATCH", "/v1/keys/a?ttl=none", "Content-Type: application/merge-patch+json\r\n", `{"a":{"b":null}}`},
		{"PATCH", "/v1/keys/a", "Content-Type: text/plain\r\n", `{}`},
		{"DELETE", "/v1/keys/a", "If-Unmodified-Since: x\r\n", ""},
		{"DELETE", "/v1/keys?all=true", "", ""},
		{"POST", "/v1/batch", "", `[{"op":"get","key":"a","if_match":"*"},{"op":"put","key_base64":"/w==","value":1,"ttl":0.5}]`},
		{"POST", "/v1/batch", "Transfer-Encoding: chunked\r\n", `[`},
		{"PUT", "/args", "Content-Encoding: gzip\r\n", `{"a":1}`},
		{"GET", "/v1/keys?limit=3", "Connection: close\r\n", ""},
		{"HEAD", "/v1/region", "A: b\r\n c", ""},
		{"GET", "/docs/docs.js", "Accept-Encoding: gzip;q=0, *\r\nIf-None-Match: W/\"1\", \"\"\r\n", ""},
	} {
		f.Add(s.method, s.target, s.header, []byte(s.body))
	}
	api := New(newCommands(f), noFault(f))
	f.Fuzz(func(t *testing.T, method, target, header string, body []byte) {
		text := method + " " + target + " HTTP/1.1\r\nHost: a\r\n" + header
		if len(body) > 0 {
			text += "Content-Length: " + itoa(len(body)) + "\r\n"
		}
		ctx := new(fasthttp.RequestCtx)
		switch err := ctx.Request.Read(bufio.NewReaderSize(strings.NewReader(text+"\r\n"+string(body)), MaxHeader)); {
		case err != nil:
			api.HandleError(ctx, err)
		case ctx.Request.MayContinue() && !mayGoOn(api, ctx):
		default:
			api.Handle(ctx)
		}
		checkAnswer(t, ctx, text)
	})
}

func mayGoOn(api *API, ctx *fasthttp.RequestCtx) bool {
	status, _ := api.Expect(ctx)
	return status == fasthttp.StatusContinue
}

func checkAnswer(t *testing.T, ctx *fasthttp.RequestCtx, request string) {
	status, reply := ctx.Response.StatusCode(), ctx.Response.Body()
	if !slices.Contains(statuses, status) {
		t.Fatalf("%q: %d %s", request, status, reply)
	}
	kind := string(ctx.Response.Header.ContentType())
	switch {
	case status == 204 || status == 304:
		if len(reply) > 0 {
			t.Fatalf("%q: %d with %q", request, status, reply)
		}
	case isFile(ctx):
	case status < 400:
		if kind != "application/json" || !json.Valid(reply) || !utf8.Valid(reply) {
			t.Fatalf("%q: %d %s %q", request, status, kind, reply)
		}
	default:
		var p struct {
			Type, Title, Detail string
			Status              int
		}
		d := json.NewDecoder(bytes.NewReader(reply))
		d.DisallowUnknownFields()
		if err := d.Decode(&p); err != nil || kind != "application/problem+json" || p.Status != status || p.Detail == "" || p.Title == "" {
			t.Fatalf("%q: %d %s %q", request, status, kind, reply)
		}
	}
}

// FuzzBatch: a batch is answered operation by operation, or refused and not
// begun.
func FuzzBatch(f *testing.F) {
	for _, body := range []string{
		`[]`, `[{"op":"increment","key":"a"},5]`, `[{"op":"get","key":"\ud83d\ude00"}]`, `[{"op":"put","key":"a","value":{"b":1},"ttl":"1h"}]`,
		`[{"op":"patch","key":"a","value":[],"if_none_match":"\"1\""}]`, `[{"op":"delete","key_base64":"YQ==","if_match":"1-1-1"}]`,
		`[{"op":"increment","key":"a","by":-1,"init":5,"ttl":0.25}]`, ` [ { "op" : "get" } ] `, `{"op":"get","key":"a"}`,
	} {
		f.Add([]byte(body))
	}
	commands := newCommands(f)
	api := New(commands, noFault(f))
	f.Fuzz(func(t *testing.T, body []byte) {
		mustAnswer(t, api, "DELETE", "/v1/keys?all=true")
		ctx := new(fasthttp.RequestCtx)
		ctx.Request.Header.SetMethod("POST")
		ctx.Request.SetRequestURI("/v1/batch")
		ctx.Request.SetBody(body)
		api.Handle(ctx)
		checkAnswer(t, ctx, string(body))
		if ctx.Response.StatusCode() != 200 {
			if n := commands.Region().Entries; n != 0 {
				t.Fatalf("%q: %d, and made %d keys", body, ctx.Response.StatusCode(), n)
			}
			return
		}
		var operations []json.RawMessage
		var reply struct{ Results []struct{ Status int } }
		if err := json.Unmarshal(body, &operations); err != nil {
			t.Fatalf("%q: answered, and %v", body, err)
		}
		if err := json.Unmarshal(ctx.Response.Body(), &reply); err != nil || len(reply.Results) != len(operations) {
			t.Fatalf("%q: %v, %s", body, err, ctx.Response.Body())
		}
		for _, r := range reply.Results {
			if !slices.Contains(statuses, r.Status) {
				t.Fatalf("%q: %s", body, ctx.Response.Body())
			}
		}
	})
}

// FuzzTags: a list of entity tags is read as it is written, or refused, and a
// weak tag counts in the weak comparison alone.
func FuzzTags(f *testing.F) {
	for _, line := range []string{`"1"`, `W/"1-2-3", "x,y" ,,"f"`, `*`, `"1`, `1`, `*, "1"`, ``, `W/*`, `"1""2"`} {
		f.Add(line, uint64(1), uint32(0), int64(0))
	}
	f.Fuzz(func(t *testing.T, line string, entry uint64, generation uint32, value int64) {
		var before, weakly tagList
		err := before.parse([][]byte{[]byte(line)}, strong)
		if weakErr := weakly.parse([][]byte{[]byte(line)}, weak); (err == nil) != (weakErr == nil) || err == nil && len(weakly.versions) < len(before.versions) {
			t.Fatalf("%q: %v, %v", line, err, weakErr)
		}
		v := command.Version{Entry: max(entry, 1), Generation: generation, Value: value}
		if generation == 0 {
			v.Value = 0
		}
		if err != nil || before.any {
			return
		}
		// A list goes on with another line, and with another element.
		tag := appendTag(nil, v)
		for _, lines := range [][][]byte{{[]byte(line), tag}, {[]byte(line + " , " + string(tag))}} {
			var after tagList
			if err := after.parse(lines, strong); err != nil || after.any || !slices.Equal(after.list(), append(slices.Clone(before.versions), v)) {
				t.Fatalf("%q: %v, %v, then %v", lines, before, err, after)
			}
			var weakTag tagList
			if err := weakTag.parse([][]byte{append([]byte("W/"), tag...)}, strong); err != nil || len(weakTag.list()) != 0 {
				t.Fatalf("W/%s: %v, %v", tag, weakTag, err)
			}
		}
	})
}
