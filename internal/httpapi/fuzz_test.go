package httpapi

import (
	"encoding/json"
	"net/url"
	"testing"
	"unicode/utf8"

	"github.com/valyala/fasthttp"
)

// answer runs one request on the handler and checks that it was answered by
// JSON: a result or a problem.
func answer(t *testing.T, api *API, method, target string) *fasthttp.RequestCtx {
	ctx := new(fasthttp.RequestCtx)
	ctx.Request.Header.SetMethod(method)
	ctx.Request.Header.SetRequestURI(target)
	api.Handle(ctx)
	body := ctx.Response.Body()
	if ctx.Response.StatusCode() == fasthttp.StatusNoContent {
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

// FuzzKeyPath: whatever bytes a key has, its encoded form names that key, and
// its raw form is answered.
func FuzzKeyPath(f *testing.F) {
	for _, key := range []string{"a", "a/b", "..", "//", "\x00", "%2F", "a b+c", "ü", "\xff\xfe", "increment", "?#&="} {
		f.Add(key)
	}
	api := New(newCommands(f), noFault(f))
	f.Fuzz(func(t *testing.T, key string) {
		answer(t, api, "GET", "/v1/keys/"+key)
		answer(t, api, "POST", "/v1/keys/"+key+"/increment")

		path := "/v1/keys/" + url.PathEscape(key)
		answer(t, api, "DELETE", path)
		ctx := answer(t, api, "POST", path+"/increment")
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
			ctx = answer(t, api, "GET", "/reset?key="+url.QueryEscape(key))
			var reset struct{ Previous int64 }
			if err := json.Unmarshal(ctx.Response.Body(), &reset); err != nil || reset.Previous != 1 {
				t.Fatalf("reset of %q: %s", key, ctx.Response.Body())
			}
		}
		answer(t, api, "DELETE", path)
	})
}

// FuzzQuery: any target is answered.
func FuzzQuery(f *testing.F) {
	for _, target := range []string{
		"/increment?key=a&by=1", "/increment?by=9223372036854775808", "/report?key=%", "/v1/keys/a/increment?by=%2B1&init=-1",
		"http://h/count?key=a", "/?", "*", "", "://", "a://", "/increment?by=1&by=1", "/increment?%6bey=a#",
	} {
		f.Add("GET", target)
	}
	f.Add("OPTIONS", "*")
	f.Add("PUT", "/args")
	api := New(newCommands(f), noFault(f))
	f.Fuzz(func(t *testing.T, method, target string) {
		answer(t, api, method, target)
	})
}
