package httpapi

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/plainhttp"
	"github.com/fondue-server/fondue/internal/shm"
)

// laneExamples are requests, and whether they are for a Lane.
var laneExamples = []struct {
	line string
	ok   bool
}{
	{"GET /increment", true},
	{"POST /increment?key=new&by=-3", true},
	{"GET /increment?key=a%20b+c", true},
	{"GET /increment?by=%2B3", true},
	{"POST /increment?by=x", true},
	{"GET /increment?by=1&by=1", true},
	{"GET /increment?kee=1", true},
	{"GET /increment?&&", true},
	{"GET /increment?key=" + strings.Repeat("k", 513), true},
	{"GET /increment?key=object", true},
	{"GET /increment?key=most", true},
	{"GET /increment?key=most&by=-9223372036854775808", true},
	{"GET /increment?key=%", true},
	{"GET /increment?key=", true},
	{"GET /report", true},
	{"GET /report?key=hits", true},
	{"GET /report?key=missing", true},
	{"GET /report?key=object", true},
	{"POST /report", false},
	{"GET /count?key=hits", true},
	{"GET /count?key=missing", true},
	{"GET /count?by=1", true},
	{"POST /count", false},
	{"GET /reset?key=hits", true},
	{"POST /reset?key=most", true},
	{"GET /reset?key=missing", true},
	{"POST /reset?key=object", true},
	{"GET /v1/keys/hits", true},
	{"GET /v1/keys/most", true},
	{"GET /v1/keys/object", true},
	{"GET /v1/keys/expiring", true},
	{"GET /v1/keys/short", true},
	{"GET /v1/keys/%2Fa%ff", true},
	{"GET /v1/keys/missing", true},
	{"GET /v1/keys/hits?by=1", true},
	{"GET /v1/keys/", true},
	{"GET /v1/keys/%zz", true},
	{"GET /v1/keys/long", false},
	{"POST /v1/keys/hits", false},
	{"POST /v1/keys/hits/increment", true},
	{"POST /v1/keys/hits/increment?by=5&init=2", true},
	{"POST /v1/keys/new/increment?by=5&init=2&ttl=1h30m", true},
	{"POST /v1/keys/new/increment?ttl=0s", true},
	{"POST /v1/keys/new/increment?init=1.5", true},
	{"POST /v1/keys/%2Fa%ff/increment", true},
	{"POST /v1/keys/\"\\/increment", true},
	{"POST /v1/keys/expiring/increment?ttl=2h", true},
	{"POST /v1/keys/object/increment", true},
	{"POST /v1/keys//increment", true},
	{"GET /v1/keys/hits/increment", false},
	{"GET /v1/keys/hits/x", false},
	{"GET /v1/keys", false},
	{"GET /args", false},
	{"POST /v1/batch", false},
	{"GET /v1/region", false},
	{"GET /metrics", false},
	{"GET /", false},
	{"GET /docs", false},
	{"GET /nowhere", false},
	{"GET //increment", false},
	{"GET /healthz?any=1", true},
	{"POST /healthz", false},
	{"GET /readyz", true},
}

// TestLane: each request is answered by the lane as by the server, byte for byte and
// with the same effects; or it is left to the server, and nothing has happened.
func TestLane(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	for _, e := range laneExamples {
		for _, header := range []string{"", "Connection: close\r\n", "content-length: 0\r\nconnection: keep-alive\r\n"} {
			for _, closing := range []bool{false, true} {
				text := e.line + " HTTP/1.1\r\nHost: a\r\n" + header + "\r\n"
				if ok := p.ask(text, closing); ok != e.ok {
					t.Errorf("%.80q: for the lane: %v", text, ok)
				}
			}
		}
	}
}

// FuzzLane is TestLane with any target.
func FuzzLane(f *testing.F) {
	for _, e := range laneExamples {
		method, target, _ := strings.Cut(e.line, " ")
		f.Add(method == "POST", target, false)
	}
	p := newPair(f)
	f.Fuzz(func(t *testing.T, isPost bool, target string, closing bool) {
		q := plainhttp.Request{Post: isPost}
		text := string(q.Method()) + " " + target + " HTTP/1.1\r\nHost: a\r\n\r\n"
		var hint plainhttp.Hint
		if v := new(plainhttp.Scanner).Scan([]byte(text), &q, &hint); v == plainhttp.Whole && q.Size == len(text) {
			p.t = t
			p.ask(text, closing)
		}
	})
}

// TestLaneRoutes: the lane has no method that its route has not, and every route that
// it has is one that every front runs.
func TestLaneRoutes(t *testing.T) {
	t.Parallel()
	for which, methods := range onLane {
		if methods&^allowed[which] != 0 || methods&^(get|post) != 0 {
			t.Errorf("%s: %v on the lane, of %v", paths[which], methods, allowed[which])
		}
	}
}

// TestLaneDate: the date is that of the request, whatever it was before.
func TestLaneDate(t *testing.T) {
	t.Parallel()
	l := New(newCommands(t), noFault(t)).NewLane()
	q := plainhttp.Request{Target: []byte("/healthz")}
	began := time.Date(2024, 2, 29, 23, 59, 59, 900e6, time.FixedZone("", 3600))
	for _, after := range []time.Duration{0, 99 * time.Millisecond, 100 * time.Millisecond, 48 * time.Hour, -time.Hour} {
		now := began.Add(after)
		out, _, ok := l.Answer(nil, &q, false, now)
		want := "\r\nDate: " + string(fasthttp.AppendHTTPDate(nil, now)) + "\r\n"
		if !ok || !strings.Contains(string(out), want) {
			t.Errorf("%v later: %q, want %q", after, out, want)
		}
	}
}

// TestLaneWhileDraining: that new work goes elsewhere is for the server to tell, since
// it is 503; the rest goes on.
func TestLaneWhileDraining(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.lane.commands.Drain()
	p.server.commands.Drain()
	for line, want := range map[string]bool{"GET /readyz": false, "GET /healthz": true, "GET /increment": true} {
		if ok := p.ask(line+" HTTP/1.1\r\nHost: a\r\n\r\n", true); ok != want {
			t.Errorf("%s: for the lane: %v", line, ok)
		}
	}
}

// TestLaneOfFullRegion: where there is no room the lane makes none and counts nothing,
// and the server is asked. Counters that are there go on.
func TestLaneOfFullRegion(t *testing.T) {
	t.Parallel()
	for _, evict := range []bool{false, true} {
		commands := newCommandsOf(t, shm.MinSize, shm.Policy{Evict: evict})
		brief := commands.Brief()
		for i := 0; ; i++ {
			if _, _, err := brief.Increment(fmt.Appendf(nil, "filler-%d", i), 1, math.MaxInt64-9, 0); errors.Is(err, shm.ErrFull) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		l, refused := New(commands, noFault(t)).NewLane(), 0
		for i := range 500 {
			q := plainhttp.Request{Post: true, Target: fmt.Appendf(nil, "/v1/keys/more-%d/increment", i)}
			region, counted := commands.Region(), commands.Metrics().Sum
			out, done, ok := l.Answer([]byte("before"), &q, false, time.Now())
			if ok {
				continue // another shard, with room
			}
			refused++
			after := commands.Region()
			if string(out) != "before" || done != (Done{}) || after.Entries != region.Entries || after.Evictions != region.Evictions ||
				after.Used != region.Used || commands.Metrics().Sum != counted {
				t.Fatalf("%q, %+v: %+v, then %+v", out, done, region, after)
			}
		}
		if refused == 0 {
			t.Error("there is room for everything")
		}
		q := plainhttp.Request{Target: []byte("/increment?key=filler-0")}
		if out, _, ok := l.Answer(nil, &q, false, time.Now()); !ok || !strings.Contains(string(out), " 200 OK\r\n") {
			t.Errorf("a counter that is there: %v, %q", ok, out)
		}
	}
}

// TestLaneAllocatesNothing: a hot request costs no allocation from its bytes to those
// of its response.
func TestLaneAllocatesNothing(t *testing.T) {
	l := newHotAPI(t).NewLane()
	var s plainhttp.Scanner
	var q plainhttp.Request
	var hint plainhttp.Hint
	out, now := make([]byte, 0, 4096), time.Now()
	for _, line := range hotRequests {
		in := []byte(line + " HTTP/1.1\r\nHost: a\r\n\r\n")
		if strings.HasPrefix(line, "HEAD") || strings.HasSuffix(line, "/large") {
			continue
		}
		allocs := testing.AllocsPerRun(200, func() {
			_, done, ok := Done{}, Done{}, false
			if s.Scan(in, &q, &hint) == plainhttp.Whole {
				out, done, ok = l.Answer(out[:0], &q, false, now)
			}
			if !ok || done.Status != 200 {
				t.Fatalf("%s: %v, %+v", line, ok, done)
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", line, allocs)
		}
	}
}

// TestAnswerIsWrittenAlike: whatever an answer tells, both fronts write it as the same
// bytes.
func TestAnswerIsWrittenAlike(t *testing.T) {
	t.Parallel()
	var o opening
	o.date(time.Now())
	for i := range 64 {
		a := answer{status: statusOK, media: typeJSON, body: []byte("[7]")}
		if i&1 != 0 {
			a.refuse(&problem{503, `"it" is` + "\n"})
		}
		if i&2 != 0 {
			a.evicted = 12
		}
		if i&4 != 0 {
			a.left = 90500 * time.Millisecond
		}
		if i&8 != 0 {
			a.version = command.Version{Entry: 0xabc, Generation: 3, Value: -1}
		}
		a.retry = i&16 != 0
		got := a.appendTo([]byte("x"), &o, i&32 != 0)
		want := serve(func(ctx *fasthttp.RequestCtx) {
			b := a
			b.body = append([]byte(nil), a.body...)
			b.writeTo(&ctx.Response)
			if i&32 != 0 {
				ctx.SetConnectionClose()
			}
		}, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if maskDate(string(got)) != maskDate("x"+want) {
			t.Errorf("%+v:\n%q, not\n%q", a, got, want)
		}
	}
}
