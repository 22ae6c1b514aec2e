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
	"GET /healthz",
	"GET /readyz",
}

// newRequest returns a context that holds a request, as a server reuses it.
func newRequest(t testing.TB, line string) *fasthttp.RequestCtx {
	t.Helper()
	ctx := new(fasthttp.RequestCtx)
	ctx.Init2(&net.TCPConn{}, nil, false)
	text := line + " HTTP/1.1\r\nHost: a\r\n\r\n"
	if err := ctx.Request.Read(bufio.NewReader(strings.NewReader(text))); err != nil {
		t.Fatal(err)
	}
	return ctx
}

func TestHotPathAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool drop items at random")
	}
	api := New(newCommands(t), noFault(t))
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

func BenchmarkHandle(b *testing.B) {
	api := New(newCommands(b), noFault(b))
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
