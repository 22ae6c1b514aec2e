package httpapi

import (
	"bufio"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"

	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/shm"
)

// newCommands returns commands over an empty region on the heap, which is
// checked when the test ends.
func newCommands(t testing.TB) *command.Commands {
	t.Helper()
	return newCommandsWith(t, shm.Policy{})
}

func newCommandsWith(t testing.TB, policy shm.Policy) *command.Commands {
	t.Helper()
	return newCommandsOf(t, 8<<20, policy)
}

func newCommandsOf(t testing.TB, size int64, policy shm.Policy) *command.Commands {
	t.Helper()
	region, err := shm.NewHeap(shm.Geometry{Size: size, Slots: 4})
	if err != nil {
		t.Fatal(err)
	}
	master, _, err := region.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	id, err := master.Claim(-1)
	if err != nil {
		t.Fatal(err)
	}
	master.Spawned(id, os.Getpid())
	store, err := region.Attach(id)
	if err != nil {
		t.Fatal(err)
	}
	store.SetState(shm.StateReady)
	t.Cleanup(func() {
		if report := region.Check(); !report.OK() {
			t.Errorf("region after the test: %+v", report.Violations)
		}
	})
	return command.New(region, store, policy, os.Getpid())
}

// client sends requests, byte for byte, to a server over an API.
type client struct {
	t        testing.TB
	commands *command.Commands
	listener *fasthttputil.InmemoryListener
}

func newClient(t testing.TB) *client {
	t.Helper()
	return newClientOf(t, newCommands(t))
}

func newClientOf(t testing.TB, commands *command.Commands) *client {
	t.Helper()
	c := &client{t: t, commands: commands, listener: fasthttputil.NewInmemoryListener()}
	api := New(c.commands, noFault(t))
	server := &fasthttp.Server{
		Handler: func(ctx *fasthttp.RequestCtx) { api.Handle(ctx) }, ErrorHandler: api.HandleError,
		ExpectHandler: func(ctx *fasthttp.RequestCtx) int { status, _ := api.Expect(ctx); return status },
		Logger:        log.New(io.Discard, "", 0), NoDefaultContentType: true, DisablePreParseMultipartForm: true, SecureErrorLogMessage: true,
		ReadBufferSize: MaxHeader, MaxRequestBodySize: MaxBody(commands.MaxValue()), ReadTimeout: 500 * time.Millisecond,
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(c.listener) }()
	t.Cleanup(func() { _ = c.listener.Close(); <-done })
	return c
}

// raw sends bytes and reads one response with its body.
func (c *client) raw(request, method string) (*http.Response, string) {
	c.t.Helper()
	conn, err := c.listener.Dial()
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	go func() { _, _ = io.WriteString(conn, request) }()
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("%.200q: %v", request, err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatalf("%.200q: %v", request, err)
	}
	return response, string(body)
}

// do sends "METHOD target", header lines and a body.
func (c *client) do(line, header, body string) (*http.Response, string) {
	c.t.Helper()
	request := line + " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n" + header
	if body != "" {
		request += "Content-Length: " + itoa(len(body)) + "\r\n"
	}
	method, _, _ := strings.Cut(line, " ")
	return c.raw(request+"\r\n"+body, method)
}

func itoa(n int) string { return string(appendInt(nil, int64(n))) }

// checkProblem fails unless the response is a problem that says something.
func checkProblem(t testing.TB, what string, response *http.Response, body string) string {
	t.Helper()
	var p struct {
		Type, Title, Detail string
		Status              int
	}
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Errorf("%s: problem is not JSON: %v: %q", what, err, body)
	}
	if p.Type != "about:blank" || p.Title != http.StatusText(response.StatusCode) && response.StatusCode != 431 ||
		p.Status != response.StatusCode || p.Detail == "" {
		t.Errorf("%s: status %d with problem %+v", what, response.StatusCode, p)
	}
	if got := response.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("%s: Content-Type %q", what, got)
	}
	return p.Detail
}

// step is one request and what it must answer: the exact body, or for a
// problem a part of its detail. In the header, $ETAG stands for the last ETag
// that was answered, and $OLD for the one before. In want, each of them stands
// for what it is, without its quotes.
type step struct {
	line, header, body string
	status             int
	want               string
}

func run(t *testing.T, steps []step) {
	t.Helper()
	newClient(t).run(steps)
}

func (c *client) run(steps []step) {
	t := c.t
	t.Helper()
	etag, old := `"none"`, `"none"`
	for _, s := range steps {
		response, body := c.do(s.line, strings.NewReplacer("$ETAG", etag, "$OLD", old).Replace(s.header), s.body)
		if now := response.Header.Get("ETag"); now != "" && now != etag {
			etag, old = now, etag
		}
		s.want = strings.NewReplacer("$ETAG", strings.Trim(etag, `"`), "$OLD", strings.Trim(old, `"`)).Replace(s.want)
		what := s.line + " " + strings.TrimSpace(s.header) + " " + s.body
		if len(what) > 100 {
			what = what[:100] + "..."
		}
		if response.StatusCode != s.status {
			t.Errorf("%s: status %d, want %d: %s", what, response.StatusCode, s.status, body)
			continue
		}
		switch {
		case s.status >= 400 && response.Request.Method == "HEAD":
		case s.status >= 400:
			if detail := checkProblem(t, what, response, body); !strings.Contains(detail, s.want) {
				t.Errorf("%s: detail %q, want %q in it", what, detail, s.want)
			}
		default:
			if body != s.want {
				t.Errorf("%s: body %q, want %q", what, body, s.want)
			}
			if got := response.Header.Get("Content-Type"); s.status != 204 && s.status != 304 && got != "application/json" {
				t.Errorf("%s: Content-Type %q", what, got)
			}
		}
	}
}

// noFault fails the test at an answer of 500.
func noFault(t testing.TB) func(error) {
	return func(err error) { t.Errorf("answered with 500: %v", err) }
}
