package httpapi

import (
	"bytes"
	"fmt"
	"math"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/metrics"
	"github.com/fondue-server/fondue/internal/plainhttp"
	"github.com/fondue-server/fondue/internal/shm"
)

// pair is a lane and a server over regions of their own, with the same keys before
// each request.
type pair struct {
	t            testing.TB
	lane, server *API
	front        *Lane
	scanner      plainhttp.Scanner
	hint         plainhttp.Hint
}

func newPair(t testing.TB) *pair {
	small := func() *API { return New(newCommandsOf(t, shm.MinSize, shm.Policy{}), noFault(t)) }
	p := &pair{t: t, lane: small(), server: small()}
	p.front = p.lane.NewLane()
	return p
}

// seed makes the keys what they are before each request.
func (p *pair) seed(c *command.Commands) {
	text := func(n int) shm.Value { return shm.BytesValue([]byte(`"` + strings.Repeat("x", n-2) + `"`)) }
	_, err := c.RemovePrefix(nil)
	for _, k := range []struct {
		key   string
		value shm.Value
		ttl   time.Duration
	}{
		{"hits", shm.IntegerValue(41), 0},
		{"most", shm.IntegerValue(math.MaxInt64), 0},
		{"/a\xff", shm.IntegerValue(-5), 0},
		{"object", shm.BytesValue([]byte(`{"a":1}`)), 0},
		{"expiring", shm.IntegerValue(1), time.Hour},
		{"short", text(16 << 10), 48 * time.Hour},
		{"long", text(16<<10 + 1), 0},
	} {
		if err == nil {
			_, err = c.Put([]byte(k.key), k.value, k.ttl, shm.Condition{})
		}
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// ask sends a request to both and compares. It tells whether it was for the lane.
func (p *pair) ask(text string, closing bool) (ok bool) {
	p.seed(p.lane.commands)
	p.seed(p.server.commands)
	keys := keysOf(p.lane.commands)
	mine, theirs := p.lane.commands.Metrics().Sum, p.server.commands.Metrics().Sum
	var q plainhttp.Request
	if v := p.scanner.Scan([]byte(text), &q, &p.hint); v != plainhttp.Whole {
		p.t.Fatalf("%.80q is not plain: %d", text, v)
	}
	out, done, ok := p.front.Answer([]byte("before"), &q, closing, time.Now())
	mine = countedSince(p.lane.commands, &mine)
	left := keysOf(p.lane.commands)
	if !ok {
		if string(out) != "before" || done != (Done{}) || left != keys || mine != (shm.Meters{}) {
			p.t.Errorf("%.80q is left alone: %.80q, %+v, %+v,\n%s, then\n%s", text, out, done, mine, keys, left)
		}
		return false
	}
	want, kind := p.handle(p.server, text, closing)
	theirs = countedSince(p.server.commands, &theirs)
	if served := keysOf(p.server.commands); left != served {
		p.t.Errorf("%.80q leaves\n%s, not\n%s", text, left, served)
	}
	if mine != theirs {
		p.t.Errorf("%.80q counts %+v, not %+v", text, mine, theirs)
	}
	if strings.Contains(want, "\r\nETag: ") {
		want, _ = p.handle(p.lane, text, closing) // an ETag is of its region
	}
	if got := strings.TrimPrefix(string(out), "before"); mask(got) != mask(want) {
		p.t.Errorf("%.80q:\n%.500q, not\n%.500q", text, got, want)
	}
	head, body, _ := strings.Cut(want, "\r\n\r\n")
	closes := strings.HasSuffix(head, "\r\nConnection: close")
	if full := (Done{Kind: kind, Status: done.Status, Size: len(body), Close: closes}); done != full ||
		!strings.HasPrefix(want, fmt.Sprintf("HTTP/1.1 %d ", done.Status)) {
		p.t.Errorf("%.80q: told %+v of\n%.500q", text, done, want)
	}
	return true
}

// handle answers a request by Handle.
func (p *pair) handle(api *API, text string, closing bool) (response string, kind metrics.Kind) {
	response = serve(func(ctx *fasthttp.RequestCtx) {
		kind = api.Handle(ctx)
		if closing {
			ctx.SetConnectionClose()
		}
	}, text)
	return response, kind
}

func countedSince(c *command.Commands, before *shm.Meters) shm.Meters {
	now := c.Metrics().Sum
	return now.Since(before)
}

// keysOf lists all keys with what they hold.
func keysOf(c *command.Commands) string {
	keys, _, err := c.Scan(nil, nil, nil, 1000)
	var lines []string
	for i := range keys {
		item, err := c.Get(nil, keys[i].Key, command.Condition{})
		lines = append(lines, fmt.Sprintf("%q %d %.20q %d %v %v", keys[i].Key, item.Int, item.Bytes, keys[i].Bytes, item.TTL.Round(time.Minute), err))
	}
	slices.Sort(lines)
	return strings.Join(append(lines, fmt.Sprint(err)), "\n")
}

// serve sends one request over a connection to a server as the worker has it, and
// returns its response.
func serve(handler fasthttp.RequestHandler, text string) string {
	server := fasthttp.Server{
		Name: ServerName, Handler: handler, NoDefaultContentType: true, DisablePreParseMultipartForm: true,
		ReadBufferSize: MaxHeader,
	}
	c := &wire{in: strings.NewReader(text)}
	if err := server.ServeConn(c); err != nil {
		return err.Error()
	}
	return c.out.String()
}

// wire is a connection with a client that has sent all that it will send.
type wire struct {
	net.TCPConn
	in  *strings.Reader
	out bytes.Buffer
}

func (c *wire) Read(b []byte) (int, error)       { return c.in.Read(b) }
func (c *wire) Write(b []byte) (int, error)      { return c.out.Write(b) }
func (c *wire) Close() error                     { return nil }
func (c *wire) SetReadDeadline(time.Time) error  { return nil }
func (c *wire) SetWriteDeadline(time.Time) error { return nil }

var (
	dateField = regexp.MustCompile(`\r\nDate: [^\r]{29}\r\n`)
	ttlField  = regexp.MustCompile(`\r\nFondue-TTL: [0-9]+(\.[0-9]+)?\r\n`)
)

func maskDate(response string) string {
	return dateField.ReplaceAllString(response, "\r\nDate: now\r\n")
}

// mask hides what differs from one moment to the next.
func mask(response string) string {
	return ttlField.ReplaceAllString(maskDate(response), "\r\nFondue-TTL: n\r\n")
}
