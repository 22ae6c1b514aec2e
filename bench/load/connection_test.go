package load

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/bench/result"
)

// TestConnectionsThatTheServerEnds: a reply that says so fails nothing, and neither
// does the end of a connection on which nothing is on the way.
func TestConnectionsThatTheServerEnds(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*result.Load){
		"each third reply, closed": nil,
		"each third reply, open":   func(l *result.Load) { l.Rate = 1000 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startCounter(t, "tcp")
			c.spoil(func(n int, ctx *fasthttp.RequestCtx) bool {
				if n%3 == 0 {
					ctx.SetConnectionClose()
				}
				return false
			})
			s := usual(c, change)
			o := drive(t, s)
			if o.Failed != 0 || c.conns.Load() <= int64(s.Load.Connections) {
				t.Errorf("%d failed over %d connections, the first: %s", o.Failed, c.conns.Load(), o.FirstError)
			}
			c.check(t, o)
		})
	}
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		c := startCounter(t, "tcp", func(s *fasthttp.Server) { s.IdleTimeout = 10 * time.Millisecond })
		// Each connection has a request in 80 ms: far from when it is closed.
		o := drive(t, usual(c, func(l *result.Load) { l.Rate, l.Round = 50, 400*time.Millisecond }))
		if o.Failed != 0 || c.conns.Load() < 10 {
			t.Errorf("%d failed over %d connections, the first: %s", o.Failed, c.conns.Load(), o.FirstError)
		}
		c.check(t, o)
	})
	t.Run("beside", func(t *testing.T) {
		t.Parallel()
		c := startCounter(t, "tcp", func(s *fasthttp.Server) { s.IdleTimeout = 50 * time.Millisecond })
		s := usual(c, func(l *result.Load) { l.Beside, l.Round = 7, 300*time.Millisecond })
		if o := drive(t, s); o.HungUp != 7 {
			t.Errorf("%d of 7 idle connections are gone", o.HungUp)
		}
	})
}

// TestEarlyClose: what is behind the last reply in a pipeline has failed.
func TestEarlyClose(t *testing.T) {
	t.Parallel()
	c := startCounter(t, "tcp")
	c.spoil(func(n int, ctx *fasthttp.RequestCtx) bool {
		if n%10 == 0 {
			ctx.SetConnectionClose()
		}
		return false
	})
	o := drive(t, usual(c, func(l *result.Load) { l.Pipeline, l.Connections = 4, 1 }))
	if o.Failed == 0 || o.FirstError != errEarlyClose.Error() && o.FirstError != "receive: connection reset by peer" {
		t.Errorf("%d failed, the first: %s", o.Failed, o.FirstError)
	}
	// The server may have seen and counted some of those.
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if lost := o.Acknowledged[0] - c.counts[Key(0)]; lost > 0 {
		t.Errorf("%d acknowledged that were not counted", lost)
	}
}

// TestRefused: where nobody takes connections any more, each of them tries now and
// then.
func TestRefused(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served atomic.Int64
	go func() { // ends with the listener
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1000))
			_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
			conn.Close()
			if served.Add(1) == 20 {
				listener.Close()
			}
		}
	}()
	s := usual(&counter{address: listener.Addr().String()}, func(l *result.Load) { l.KeepAlive, l.Round = false, 200*time.Millisecond })
	s.Prepare = false
	o := drive(t, s)
	most := int64(s.Load.Connections) * int64(1+(s.Load.Round+s.Load.Warmup)/refusedPause+5)
	if o.Failed == 0 || o.Failed > 2*most || o.Acknowledged[0] != served.Load() {
		t.Errorf("%d failed, want %d at most; %d acknowledged of %d served", o.Failed, most, o.Acknowledged[0], served.Load())
	}
}

// TestDeadline: what has no answer by then has failed, and so has what was due and
// never sent.
func TestDeadline(t *testing.T) {
	t.Parallel()
	for rate, failed := range map[float64]int64{0: 4, 1000: 100} {
		c := startCounter(t, "tcp")
		r, err := newRun(usual(c, func(l *result.Load) { l.Rate = rate }))
		if err != nil {
			t.Fatal(err)
		}
		defer r.close()
		c.mutex.Lock()
		defer c.mutex.Unlock()
		r.to.Store(int64(100 * time.Millisecond))
		r.deadline.Store(int64(200 * time.Millisecond))
		r.phase.Store(measuring)
		var from source = closedLoop{r}
		if rate > 0 {
			from = openLoop{r, pacer(rate), new(atomic.Int64)}
		}
		for _, l := range r.loops {
			l.source = from
		}
		time.AfterFunc(100*time.Millisecond, func() { r.phase.Store(ending) })
		r.each()
		o, err := r.outcome(time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if o.Failed != failed || !errors.Is(r.loops[0].first, os.ErrDeadlineExceeded) {
			t.Errorf("rate %v: %d failed, want %d; the first: %v", rate, o.Failed, failed, r.loops[0].first)
		}
	}
}
