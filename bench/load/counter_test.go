package load

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/valyala/fasthttp"
)

// counter is the server of these tests: it counts increments by key and keeps
// values, and it can be made to stall, refuse and hang up.
type counter struct {
	address string
	mutex   sync.Mutex // held: no request is answered
	counts  map[string]int64
	values  map[string]int
	served  int
	// conns are the connections that it has taken.
	conns atomic.Int64
	// trouble, if set, is asked before each request; it is called with the mutex.
	trouble func(n int, ctx *fasthttp.RequestCtx) bool
}

func startCounter(t *testing.T, network string, change ...func(*fasthttp.Server)) *counter {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "socket")
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{address: listener.Addr().String(), counts: map[string]int64{}, values: map[string]int{}}
	server := &fasthttp.Server{Handler: c.serve, ConnState: func(_ net.Conn, s fasthttp.ConnState) {
		if s == fasthttp.StateNew {
			c.conns.Add(1)
		}
	}}
	for _, f := range change {
		f(server)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := server.Shutdown(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return c
}

// spoil has the server ask for trouble from now on.
func (c *counter) spoil(trouble func(n int, ctx *fasthttp.RequestCtx) bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.trouble = trouble
}

func (c *counter) serve(ctx *fasthttp.RequestCtx) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.served++
	if c.trouble != nil && c.trouble(c.served, ctx) {
		return
	}
	key := string(ctx.QueryArgs().Peek("key"))
	switch path := string(ctx.Path()); path {
	case "/increment":
		c.counts[key]++
		fmt.Fprintf(ctx, `{"count":%d}`, c.counts[key])
	case "/report":
		fmt.Fprintf(ctx, `{"count":%d}`, c.counts[key])
	default:
		switch {
		case ctx.IsPut():
			if !json.Valid(ctx.PostBody()) {
				ctx.SetStatusCode(400)
				return
			}
			c.values[path] = len(ctx.PostBody())
			ctx.SetStatusCode(204)
		case c.values[path] == 0:
			ctx.SetStatusCode(404)
		default:
			ctx.SetBody(value(c.values[path]))
		}
	}
}

var requests = map[string]Request{
	"increment": {"POST", "/increment?key=%s"},
	"report":    {"GET", "/report?key=%s"},
	"get":       {"GET", "/values/%s"},
	"put":       {"PUT", "/values/%s"},
}

func (c *counter) check(t *testing.T, o Outcome) (sum int64) {
	t.Helper()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for key, n := range o.Acknowledged {
		if got := c.counts[Key(key)]; got != n {
			t.Errorf("key %d: acknowledged %d, counted %d", key, n, got)
		}
		sum += n
	}
	return sum
}
