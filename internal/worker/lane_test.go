package worker

import (
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/loop"
	"github.com/fondue-server/fondue/internal/shm"
)

// incrementBatch is an increment that is not for the lane.
const incrementBatch = "POST /v1/batch HTTP/1.1\r\nHost: test\r\nContent-Length: 34\r\n\r\n" + `[{"op":"increment","key":"count"}]`

// TestPipelineAcross: requests for the lane and for fasthttp that arrive together, or
// in any pieces, are answered in their order, once each.
func TestPipelineAcross(t *testing.T) {
	t.Parallel()
	const put = "PUT /v1/keys/count HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\n7"
	const all = increment + increment + put + increment
	overServers(t, func(t *testing.T, s *testServer) {
		for first := 1; first < len(all); first += 3 {
			if _, err := s.commands.RemovePrefix(nil); err != nil {
				t.Fatal(err)
			}
			c, before := mustDial(t, s), s.meters()
			for _, piece := range []string{all[:first], all[first:]} {
				if _, err := io.WriteString(c, piece); err != nil {
					t.Fatal(err)
				}
				s.awaitReceived(t, int(before.Received)+first)
			}
			for i, want := range []string{`"count":1}`, `"count":2}`, "", `"count":8}`} {
				if status, body, closing, err := c.receive(); status != 200 || closing || !strings.HasSuffix(body, want) || err != nil {
					t.Fatalf("in two at %d, answer %d: %d %s, closing %v, %v", first, i, status, body, closing, err)
				}
			}
			if m := s.meters(); m.Answers.All()-before.Answers.All() != 4 || m.Received-before.Received != uint64(len(all)) {
				t.Fatalf("in two at %d: %d answers, %d bytes", first, m.Answers.All()-before.Answers.All(), m.Received-before.Received)
			}
			c.Close()
		}
		s.awaitNone(t)
	}, "tcp", "unix")
}

// TestEveryByteApart: a request is the same however slowly it comes.
func TestEveryByteApart(t *testing.T) {
	t.Parallel()
	overServers(t, func(t *testing.T, s *testServer) {
		c := mustDial(t, s)
		for round := range 3 {
			for i := range increment {
				if _, err := io.WriteString(c, increment[i:i+1]); err != nil {
					t.Fatal(err)
				}
				s.awaitReceived(t, round*len(increment)+i+1)
			}
			if status, body, closing, err := c.receive(); status != 200 || closing || err != nil {
				t.Fatalf("%d %s, closing %v, %v", status, body, closing, err)
			}
		}
		if n := count(t, s); n != 3 {
			t.Errorf("counted %d", n)
		}
	}, "tcp")
}

// TestCloseEndsThePipeline: a reply that says that the connection ends is the last
// one, and nothing behind its request is done, in a drain as at a client's wish.
func TestCloseEndsThePipeline(t *testing.T) {
	t.Parallel()
	closing := strings.Replace(increment, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)
	for name, text := range map[string]string{"drain": increment, "wish": closing, "refusal": "nonsense\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			overServers(t, func(t *testing.T, s *testServer) {
				c := mustDial(t, s)
				if closing, err := c.send(increment); closing || err != nil {
					t.Fatalf("closing %v, %v", closing, err)
				}
				done := make(chan int, 1)
				if name == "drain" {
					go func() { done <- s.drain(pace{window: time.Minute, timeout: time.Minute}, new(lifeline)) }()
					waitFor(t, "drain", s.draining.Load)
				}
				// What is read along with the last request, and what comes after it.
				if _, err := io.WriteString(c, text+strings.Repeat(increment, 3)); err != nil {
					t.Fatal(err)
				}
				status, body, closes, err := c.receive()
				if want := map[bool]int{false: 200, true: 400}[name == "refusal"]; status != want || !closes || err != nil {
					t.Errorf("%d %s, closing %v, %v", status, body, closes, err)
				}
				_, _ = io.WriteString(c, increment)
				if b, _ := io.ReadAll(c.in); len(b) > 0 {
					t.Errorf("then %q", b)
				}
				c.Close()
				if name == "drain" {
					if cut := <-done; cut != 0 {
						t.Errorf("%d connections cut off", cut)
					}
				}
				s.awaitNone(t)
				if n, want := count(t, s), map[bool]int64{false: 2, true: 1}[name == "refusal"]; n != want {
					t.Errorf("counted %d, want %d", n, want)
				}
			}, "tcp", "unix")
		})
	}
}

// TestLaneLate: a request whose rest does not come in time is refused in the words of
// fasthttp; a connection that has asked nothing ends in silence.
func TestLaneLate(t *testing.T) {
	t.Parallel()
	short := loop.Limits{Read: time.Second, Write: time.Minute, Idle: time.Second, Linger: time.Minute}
	s := newServerAs(t, setting{network: "tcp", lane: true, limits: short})
	words := func(c *client) string {
		t.Helper()
		status, body, closing, err := c.receive()
		if status != 408 || !closing || err != nil {
			t.Errorf("%d %s, closing %v, %v", status, body, closing, err)
		}
		return body
	}
	begin := func(c *client) *client {
		t.Helper()
		if _, err := io.WriteString(c, increment[:len(increment)-1]); err != nil {
			t.Fatal(err)
		}
		return c
	}
	serve := func(c *client) *client {
		t.Helper()
		if _, err := c.send(increment); err != nil {
			t.Fatal(err)
		}
		return c
	}
	half, later := begin(mustDial(t, s)), begin(serve(mustDial(t, s)))
	quiet, silent := serve(mustDial(t, s)), mustDial(t, s)
	told, again := words(half), words(later)
	want := words(handOver(t, s, "tcp", increment[:20], 20, func(_ *client, h *handed) { h.late = true }))
	if told != want || again != want {
		t.Errorf("%s and %s, want %s", told, again, want)
	}
	for name, c := range map[string]*client{"half": half, "later": later, "silent": silent, "quiet": quiet} {
		if b, err := io.ReadAll(c.in); len(b) > 0 || err != nil {
			t.Errorf("%s: %q, %v", name, b, err)
		}
		c.Close()
	}
	if n := count(t, s); n != 2 {
		t.Errorf("counted %d", n)
	}
}

// TestSameTraffic: the counts and the access log tell the same of the same requests.
func TestSameTraffic(t *testing.T) {
	t.Parallel()
	requests := []string{
		increment, strings.Replace(increment, "GET", "POST", 1),
		"GET /count?key=%22 HTTP/1.1\r\nHost: test\r\n\r\n", "GET /increment?by=x HTTP/1.1\r\nHost: test\r\n\r\n",
		"GET /v1/keys/count HTTP/1.1\r\nHost: test\r\n\r\n", "GET /v1/keys/none HTTP/1.1\r\nHost: test\r\n\r\n",
		"GET /" + strings.Repeat("x", 3000) + " HTTP/1.1\r\nHost: test\r\n\r\n",
		"PUT /v1/keys/k HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\n1",
		increment, "GET /healthz HTTP/1.0\r\n\r\n",
	}
	paths := sameRegions(t)
	tell := func(lane bool) (lines string, m shm.Meters) {
		access := &accessLog{format: newLineFormat(1, 1), wake: make(chan struct{}, 1)} // nobody writes it out
		s := newServerAs(t, setting{network: "tcp", lane: lane, access: access, path: paths[lane]})
		for skip := range requests { // each is the first of a connection
			c := mustDial(t, s)
			for _, text := range requests[skip:] {
				if _, err := io.WriteString(c, text); err != nil {
					t.Fatal(err)
				}
				if status, body, _, err := c.receive(); err != nil {
					t.Fatalf("%.100q: %d %s, %v", text, status, body, err)
				}
			}
			c.Close()
		}
		refused := mustDial(t, s)
		if _, err := io.WriteString(refused, "PUT /args HTTP/1.1\r\nHost: test\r\nContent-Length: 3000000\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if status, body, _, err := refused.receive(); status != 413 || err != nil {
			t.Fatalf("%d %s, %v", status, body, err)
		}
		if _, err := io.WriteString(refused, strings.Repeat("x", 100_000)); err != nil { // which is thrown away, and counted
			t.Fatal(err)
		}
		_ = refused.Conn.(*net.TCPConn).CloseWrite()
		_, _ = io.ReadAll(refused.in)
		s.awaitNone(t)
		access.mu.Lock()
		defer access.mu.Unlock()
		o := outcome{lines: string(access.pending)}
		o.mask()
		m = s.meters()
		m.Latency, m.LatencySum = shm.Meters{}.Latency, 0
		return o.lines, m
	}
	wantLines, want := tell(false)
	lines, m := tell(true)
	if lines != wantLines {
		t.Errorf("access log:\n%s\nand without the lane\n%s", lines, wantLines)
	}
	if m != want {
		t.Errorf("counted %+v, and without the lane %+v", m, want)
	}
	if m.Accepted != uint64(len(requests)+1) || m.Hits == 0 || m.Misses == 0 {
		t.Errorf("%d connections, %d hits, %d misses", m.Accepted, m.Hits, m.Misses)
	}
}

// TestDrainWhileHandingOver: a connection that is handed over while the worker leaves
// is served to its end, and every increment that was acknowledged is there, no other.
func TestDrainWhileHandingOver(t *testing.T) {
	t.Parallel()
	overServers(t, func(t *testing.T, s *testServer) {
		const clients = 50
		var done, running atomic.Int64
		var all sync.WaitGroup
		for i := range clients {
			all.Go(func() {
				for first := true; ; first = false {
					patience := 300 * time.Millisecond
					if first {
						patience = time.Minute
					}
					c, err := dial(s.as.network, s.addr, patience)
					if err != nil {
						if first {
							t.Errorf("first connect: %v", err)
						}
						return // the door is closed
					}
					for n := range 2 + i%3 {
						text := increment
						if n == 1+i%2 { // from here on it is fasthttp's
							text = incrementBatch
						}
						closing, err := c.send(text)
						if err != nil {
							t.Errorf("request failed: %v", err)
						} else {
							done.Add(1)
						}
						if closing || err != nil {
							break
						}
					}
					c.Close()
					if first {
						running.Add(1)
					}
				}
			})
		}
		waitFor(t, "first replies", func() bool { return running.Load() == clients })
		closeDoors(t, s)
		if cut := s.drain(full, new(lifeline)); cut != 0 {
			t.Errorf("%d connections cut off", cut)
		}
		all.Wait()
		if got := count(t, s); got != done.Load() {
			t.Errorf("counted %d, acknowledged %d", got, done.Load())
		}
		s.awaitNone(t)
	}, "tcp", "unix")
}
