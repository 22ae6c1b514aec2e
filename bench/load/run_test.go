package load

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fondue-server/fondue/bench/result"
)

// usual is a short round; change says what is not usual.
func usual(c *counter, change func(*result.Load)) Settings {
	l := result.Load{
		Workload: "increment", Keys: 1, Connections: 4, Network: "tcp", KeepAlive: true, Pipeline: 1,
		Round: 150 * time.Millisecond, Warmup: 30 * time.Millisecond,
	}
	if change != nil {
		change(&l)
	}
	return Settings{Load: l, Address: c.address, Requests: requests, Prepare: true, Threads: 2, Seed: 1}
}

// drive runs the generator in this process.
func drive(t *testing.T, s Settings) Outcome {
	t.Helper()
	in, settings := io.Pipe()
	defer settings.Close()
	go func() { // errors show in Run
		_ = json.NewEncoder(settings).Encode(s)
		_, _ = fmt.Fprintln(settings, Go)
	}()
	lines, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := Run(in, out)
		out.CloseWithError(io.EOF)
		ended <- err
	}()
	var begin, end Mark
	var o Outcome
	decoder := json.NewDecoder(lines)
	for _, v := range []any{&begin, &end, &o} {
		if err := decoder.Decode(v); err != nil {
			t.Fatalf("%v; the generator: %v", err, <-ended)
		}
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if took := end.At.Sub(begin.At); took < o.Round.Elapsed || o.Round.Elapsed < s.Load.Round {
		t.Errorf("a round of %v between marks %v apart, want %v", o.Round.Elapsed, took, s.Load.Round)
	}
	return o
}

func TestLoads(t *testing.T) {
	t.Parallel()
	cases := map[string]func(*result.Load){
		"closed":          nil,
		"open":            func(l *result.Load) { l.Rate = 1000 },
		"pipelined":       func(l *result.Load) { l.Pipeline = 8 },
		"open, pipelined": func(l *result.Load) { l.Rate, l.Pipeline, l.Connections = 2000, 8, 1 },
		"new connections": func(l *result.Load) { l.KeepAlive = false },
		"open, new":       func(l *result.Load) { l.KeepAlive, l.Rate = false, 300 },
		"beside idle":     func(l *result.Load) { l.Beside = 50 },
		"beside, reports": func(l *result.Load) { l.Workload, l.Keys, l.Beside, l.Network = "report", 3, 50, "unix" },
		"unix":            func(l *result.Load) { l.Network = "unix" },
		"uniform":         func(l *result.Load) { l.Workload, l.Keys = "increment-uniform", 100 },
		"zipf":            func(l *result.Load) { l.Workload, l.Keys, l.Pipeline = "increment-zipf", 101, 3 },
		"report":          func(l *result.Load) { l.Workload, l.Keys = "report", 3 },
		"mixed":           func(l *result.Load) { l.Workload, l.Keys = "mixed", 10 },
		"get":             func(l *result.Load) { l.Workload, l.Keys, l.Bytes = "get", 10, 64<<10 },
		"long get": func(l *result.Load) {
			l.Workload, l.Keys, l.Bytes, l.Pipeline, l.Round = "get", 3, 1<<20, 2, 500*time.Millisecond
		},
		"long put": func(l *result.Load) {
			l.Workload, l.Keys, l.Bytes, l.Pipeline, l.Round = "put", 3, 256<<10, 2, 500*time.Millisecond
		},
		"put": func(l *result.Load) { l.Workload, l.Keys, l.Bytes, l.Pipeline = "put", 10, 1<<10, 4 },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := usual(&counter{}, change)
			c := startCounter(t, s.Load.Network)
			s.Address = c.address
			o := drive(t, s)
			if o.Failed != 0 || o.Round.Errors != 0 || o.Stopped || o.HungUp != 0 {
				t.Errorf("%d failed, the first: %s; stopped %v; %d idle ones are gone", o.Failed, o.FirstError, o.Stopped, o.HungUp)
			}
			if o.Round.Requests < 10 || o.Round.Latency.P50 <= 0 || o.Round.Latency.P50 > o.Round.Latency.Max {
				t.Errorf("round %+v", o.Round)
			}
			switch sum := c.check(t, o); {
			case !Counts(s.Load.Workload):
				if sum != 0 {
					t.Errorf("%d increments", sum)
				}
			case s.Load.Workload == "report":
				if sum != int64(s.Load.Keys) {
					t.Errorf("%d increments, want those of the preparation", sum)
				}
			case s.Load.Workload != "mixed" && sum < o.Round.Requests:
				t.Errorf("%d acknowledged, %d answered", sum, o.Round.Requests)
			}
			conns := c.conns.Load()
			if s.Load.KeepAlive && conns != int64(s.Load.Connections+s.Load.Beside) || !s.Load.KeepAlive && conns < o.Round.Requests {
				t.Errorf("%d connections for %d requests", conns, o.Round.Requests)
			}
			if rate := s.Load.Rate; rate > 0 {
				h, err := hdrhistogram.Decode([]byte(o.Round.Latency.Histogram))
				if err != nil {
					t.Fatal(err)
				}
				want := int64(rate * s.Load.Round.Seconds())
				if n := h.TotalCount(); n < want-1 || n > want+1 {
					t.Errorf("%d latencies, want one for each of %d requests that were due", n, want)
				}
			}
		})
	}
}

// TestStall: a server that stops for a while makes one request of a closed loop
// slow, and in an open one all that were due meanwhile.
func TestStall(t *testing.T) {
	t.Parallel()
	const stall = 200 * time.Millisecond
	for _, rate := range []float64{0, 1000} {
		c := startCounter(t, "tcp")
		var first time.Time
		stalled := false
		c.spoil(func(n int, _ *fasthttp.RequestCtx) bool {
			if n == 1 {
				first = time.Now()
			}
			if !stalled && time.Since(first) > 150*time.Millisecond {
				stalled = true
				time.Sleep(stall)
			}
			return false
		})
		o := drive(t, usual(c, func(l *result.Load) {
			l.Rate, l.Connections, l.Round, l.Warmup = rate, 2, 600*time.Millisecond, 10*time.Millisecond
		}))
		latency := o.Round.Latency
		if latency.Max < int64(stall) {
			t.Errorf("rate %v: the longest took %v", rate, time.Duration(latency.Max))
		}
		// 200 of some 600 were due in the stall, and waited from 0 to 200 ms.
		if seen := latency.P90 > int64(stall/4); seen != (rate > 0) {
			t.Errorf("rate %v: 90 %% took up to %v", rate, time.Duration(latency.P90))
		}
		if o.Failed != 0 {
			t.Errorf("rate %v: %d failed: %s", rate, o.Failed, o.FirstError)
		}
		c.check(t, o)
	}
}

func TestErrorsAreCountedAndNotRetried(t *testing.T) {
	t.Parallel()
	const every = 7
	cases := map[string]struct {
		trouble func(*fasthttp.RequestCtx)
		text    string
	}{
		"a status":      {func(ctx *fasthttp.RequestCtx) { ctx.SetStatusCode(503) }, "status 503"},
		"a lost answer": {func(ctx *fasthttp.RequestCtx) { ctx.HijackSetNoResponse(true); ctx.Hijack(func(net.Conn) {}) }, "EOF"},
	}
	for name, how := range cases {
		for _, rate := range []float64{0, 1000} {
			t.Run(fmt.Sprintf("%s, rate %v", name, rate), func(t *testing.T) {
				t.Parallel()
				c := startCounter(t, "tcp")
				refused := int64(0)
				c.spoil(func(n int, ctx *fasthttp.RequestCtx) bool {
					if n%every != 0 {
						return false
					}
					refused++
					how.trouble(ctx)
					return true
				})
				s := usual(c, func(l *result.Load) { l.Rate = rate })
				o := drive(t, s)
				sum := c.check(t, o)
				c.mutex.Lock()
				defer c.mutex.Unlock()
				if o.Failed != refused || o.Round.Errors == 0 || o.Round.Errors > refused {
					t.Errorf("%d failed, %d of them in the round; the server refused %d", o.Failed, o.Round.Errors, refused)
				}
				if sum+o.Failed != int64(c.served) {
					t.Errorf("%d acknowledged and %d failed, of %d that the server has seen", sum, o.Failed, c.served)
				}
				if !strings.Contains(o.FirstError, how.text) {
					t.Errorf("the first error is %q", o.FirstError)
				}
			})
		}
	}
}

func TestStopIsEarlyAndItsCountIsWhole(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0, 1000} {
		c := startCounter(t, "tcp")
		in, settings := io.Pipe()
		busy := make(chan struct{})
		c.spoil(func(n int, _ *fasthttp.RequestCtx) bool {
			if n == 50 {
				close(busy)
			}
			return false
		})
		go func() {
			_ = json.NewEncoder(settings).Encode(usual(c, func(l *result.Load) { l.Rate, l.Round = rate, time.Hour }))
			_, _ = fmt.Fprintln(settings, Go)
			<-busy
			settings.Close()
		}()
		var out strings.Builder
		if err := Run(in, &out); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		var o Outcome
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &o); err != nil {
			t.Fatal(err)
		}
		if sum := c.check(t, o); len(lines) != 3 || !o.Stopped || sum < 49 {
			t.Errorf("rate %v: %d lines, stopped %v, %d acknowledged", rate, len(lines), o.Stopped, sum)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	change := map[string]func(*Settings){
		"workload":    func(s *Settings) { s.Load.Workload = "increments" },
		"keys":        func(s *Settings) { s.Load.Keys = 0 },
		"one key":     func(s *Settings) { s.Load.Keys = 2 },
		"bytes":       func(s *Settings) { s.Load.Bytes = 100 },
		"value":       func(s *Settings) { s.Load.Workload = "get" },
		"connections": func(s *Settings) { s.Load.Connections = 0 },
		"network":     func(s *Settings) { s.Load.Network = "udp" },
		"beside":      func(s *Settings) { s.Load.Beside = -1 },
		"pipeline":    func(s *Settings) { s.Load.Pipeline = 2; s.Load.KeepAlive = false },
		"rate":        func(s *Settings) { s.Load.Rate = -1 },
		"round":       func(s *Settings) { s.Load.Round = 0 },
		"request":     func(s *Settings) { s.Requests = nil },
		"place":       func(s *Settings) { s.Requests = map[string]Request{"increment": {"GET", "/i?key=k%d"}} },
	}
	good := usual(&counter{}, nil)
	if err := good.check(); err != nil {
		t.Error(err)
	}
	for name, spoil := range change {
		s := good
		spoil(&s)
		if err := s.check(); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	s := usual(&counter{address: filepath.Join(t.TempDir(), "nobody")}, func(l *result.Load) { l.Network = "unix" })
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := Run(strings.NewReader(string(text)), io.Discard); err == nil || !strings.Contains(err.Error(), "connection 1 of 4") {
		t.Errorf("error %v", err)
	}
}
