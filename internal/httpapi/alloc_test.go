package httpapi

import (
	"bufio"
	"net"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// hotRequests must allocate nothing once their key exists.
var hotRequests = []string{
	"GET /increment",
	"POST /increment?key=cnt&by=-3",
	"GET /increment?key=a%20b+c",
	"GET /increment?by=%2B3",
	"GET /report",
	"GET /report?key=cnt",
	"GET /report?key=missing",
	"GET /count?key=cnt",
	"GET /reset?key=cnt",
	"POST /v1/keys/hits/increment",
	"GET /v1/keys/hits",
	"POST /v1/keys/hits/increment?by=5&init=2",
	"POST /v1/keys/%2Fa%ff/increment",
	"POST /v1/keys/hits/increment?ttl=1h30m",
	"POST /v1/keys/expiring/increment?ttl=1h",
	"GET /v1/keys/expiring",
	"GET /v1/keys/small",
	"GET /v1/keys/hundred",
	"HEAD /v1/keys/small",
	"GET /v1/keys/large",
	"GET /healthz",
	"GET /readyz",
}

// newRequest returns a context that holds a request, as a server reuses it.
func newRequest(t testing.TB, line string) *fasthttp.RequestCtx {
	t.Helper()
	return newRequestOf(t, line+" HTTP/1.1\r\nHost: a\r\n\r\n")
}

func newRequestOf(t testing.TB, text string) *fasthttp.RequestCtx {
	t.Helper()
	ctx := new(fasthttp.RequestCtx)
	ctx.Init2(&net.TCPConn{}, nil, false)
	if err := ctx.Request.Read(bufio.NewReader(strings.NewReader(text))); err != nil {
		t.Fatal(err)
	}
	return ctx
}

func TestHotPathAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool drop items at random")
	}
	api := newHotAPI(t)
	for _, line := range hotRequests {
		ctx := newRequest(t, line)
		allocs := testing.AllocsPerRun(200, func() {
			ctx.Response.Reset()
			api.Handle(ctx)
		})
		if status := ctx.Response.StatusCode(); status != 200 {
			t.Errorf("%s: status %d: %s", line, status, ctx.Response.Body())
		}
		if allocs != 0 {
			t.Errorf("%s: %v allocations", line, allocs)
		}
	}
}

// newHotAPI has the keys that the requests read.
func newHotAPI(t testing.TB) *API {
	t.Helper()
	api := New(newCommands(t), noFault(t))
	for key, text := range map[string]string{"small": `{"a":1}`, "hundred": `"` + strings.Repeat("x", 98) + `"`, "large": `"` + strings.Repeat("x", 100000) + `"`} {
		ctx := newRequestOf(t, "PUT /v1/keys/"+key+" HTTP/1.1\r\nHost: a\r\nContent-Length: "+itoa(len(text))+"\r\n\r\n"+text)
		if api.Handle(ctx); ctx.Response.StatusCode() != 201 {
			t.Fatalf("%s: %d %s", key, ctx.Response.StatusCode(), ctx.Response.Body())
		}
	}
	return api
}

// TestWritesAllocateLittle: what a PUT costs beside the copy into the region.
func TestWritesAllocateLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool drop items at random")
	}
	api := newHotAPI(t)
	for line, limit := range map[string]float64{
		"PUT /v1/keys/small":         0,
		"PUT /v1/keys/small?ttl=30s": 0,
		"PATCH /v1/keys/small":       20,
	} {
		ctx := newRequestOf(t, line+" HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}")
		allocs := testing.AllocsPerRun(200, func() {
			ctx.Response.Reset()
			api.Handle(ctx)
		})
		if status := ctx.Response.StatusCode(); status != 200 || allocs > limit {
			t.Errorf("%s: status %d, %v allocations: %s", line, status, allocs, ctx.Response.Body())
		}
	}
}

func BenchmarkHandle(b *testing.B) {
	api := newHotAPI(b)
	for _, line := range hotRequests {
		ctx := newRequest(b, line)
		b.Run(strings.NewReplacer("/", "_", " ", "_").Replace(line), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ctx.Response.Reset()
				api.Handle(ctx)
			}
		})
	}
}
