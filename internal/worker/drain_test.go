package worker

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/loop"
)

// closeDoors does what a master does before it tells its workers to end.
func closeDoors(t testing.TB, s *testServer) {
	t.Helper()
	for _, l := range s.doors {
		if err := l.closeDoor(); err != nil {
			t.Fatal(err)
		}
	}
}

var full = pace{window: drainWindow, timeout: time.Minute}

// TestDrainUnderKeepAliveLoad: nobody who honours Connection: close sees a
// request fail, and every acknowledged increment is there.
func TestDrainUnderKeepAliveLoad(t *testing.T) {
	t.Parallel()
	overServers(t, func(t *testing.T, s *testServer) {
		var done, failed, running atomic.Int64
		var clients sync.WaitGroup
		stop := make(chan struct{})
		for i := range 200 {
			clients.Add(1)
			go func() {
				defer clients.Done()
				random := rand.New(rand.NewPCG(uint64(i), 1))
				var c *client
				for first := true; ; {
					if c == nil {
						select {
						case <-stop:
							return
						default:
						}
						patience := 300 * time.Millisecond
						if first {
							patience = time.Minute
						}
						var err error
						if c, err = dial(s.as.network, s.addr, patience); err != nil {
							if first {
								t.Errorf("first connect: %v", err)
							}
							return // the door is closed
						}
					}
					closing, err := c.send(increment)
					if err != nil {
						failed.Add(1)
						t.Errorf("request failed: %v", err)
						return
					}
					if done.Add(1); first {
						first = false
						running.Add(1)
					}
					if closing {
						c.Close()
						c = nil
					}
					if i%2 == 0 {
						time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
					}
				}
			}()
		}
		waitFor(t, "first replies", func() bool { return running.Load() == 200 })
		closeDoors(t, s)
		begin := time.Now()
		cut := s.drain(full, new(lifeline))
		took := time.Since(begin)
		close(stop)
		clients.Wait()
		if cut != 0 || failed.Load() != 0 {
			t.Errorf("%d connections cut off, %d requests failed", cut, failed.Load())
		}
		if got := count(t, s); got != done.Load() {
			t.Errorf("counted %d, acknowledged %d", got, done.Load())
		}
		t.Logf("%d requests, drained in %v", done.Load(), took)
	}, "tcp", "unix")
}

// TestDrainEndsEarly: with nothing open the window is not waited for.
func TestDrainEndsEarly(t *testing.T) {
	t.Parallel()
	overServers(t, func(t *testing.T, s *testServer) {
		begin := time.Now()
		s.drain(pace{window: time.Minute, timeout: time.Minute}, new(lifeline))
		t.Logf("drained in %v", time.Since(begin))
		if took := time.Since(begin); took > 30*time.Second {
			t.Errorf("drain took %v", took)
		}
	}, "tcp")
}

// TestDrainLeavesTheQueues: where others are to serve what waits, nothing more is
// accepted, while requests that have begun are answered.
func TestDrainLeavesTheQueues(t *testing.T) {
	t.Parallel()
	overServers(t, func(t *testing.T, s *testServer) {
		half := mustDial(t, s)
		if _, err := io.WriteString(half, increment[:20]); err != nil {
			t.Fatal(err)
		}
		s.awaitReceived(t, 20)
		line := new(lifeline)
		line.leave.Store(true)
		cut := make(chan int)
		go func() { cut <- s.drain(pace{window: time.Minute, timeout: time.Minute}, line) }()
		waitFor(t, "the listener to be closed", s.isDeaf)
		if closing, err := half.send(increment[20:]); err != nil || !closing {
			t.Errorf("closing %v, %v", closing, err)
		}
		if n := <-cut; n != 0 {
			t.Errorf("%d connections cut off", n)
		}
	}, "tcp")
}

// TestDrainHurries: where others wait for the worker to leave, one client that
// does not send the rest of its request keeps nobody waiting.
func TestDrainHurries(t *testing.T) {
	t.Parallel()
	overServers(t, func(t *testing.T, s *testServer) {
		slow := map[string]*client{
			increment[:20]: mustDial(t, s), // within the head, and within the body
			"PUT /v1/keys/k HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n[": mustDial(t, s),
		}
		sent := 0
		for text, c := range slow {
			sent += len(text)
			if _, err := io.WriteString(c, text); err != nil {
				t.Fatal(err)
			}
		}
		s.awaitReceived(t, sent)
		line := new(lifeline)
		line.leave.Store(true)
		begin := time.Now()
		if cut := s.drain(full, line); cut != 0 {
			t.Errorf("%d connections cut off", cut)
		}
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("drain took %v", took)
		}
		for text, c := range slow {
			if status, body, closing, err := c.receive(); status != 408 || !closing || err != nil {
				t.Errorf("%q: %d %s, closing %v, %v", text, status, body, closing, err)
			}
		}
	}, "tcp")
}

// TestDrainIdle: connections between requests are closed without a word when
// the window ends, those that never sent anything too.
func TestDrainIdle(t *testing.T) {
	t.Parallel()
	overServers(t, func(t *testing.T, s *testServer) {
		used, unused := mustDial(t, s), mustDial(t, s)
		if _, err := used.send(increment); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "both accepted", func() bool { return s.open() == 2 })
		if cut := s.drain(full, new(lifeline)); cut != 0 {
			t.Errorf("%d connections cut off", cut)
		}
		for _, c := range []*client{used, unused} {
			if b, err := io.ReadAll(c); err != nil || len(b) > 0 {
				t.Errorf("at the end of an idle connection: %q, %v", b, err)
			}
		}
	}, "tcp")
}

// TestDrainWaitsForRequests: a request that has begun to arrive is waited for
// beyond the window, and answered with Connection: close.
func TestDrainWaitsForRequests(t *testing.T) {
	t.Parallel()
	overServers(t, func(t *testing.T, s *testServer) {
		half, second := mustDial(t, s), mustDial(t, s)
		if _, err := second.send(increment); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*client{half, second} {
			if _, err := io.WriteString(c, increment[:20]); err != nil {
				t.Fatal(err)
			}
		}
		s.awaitReceived(t, len(increment)+2*20)
		cut := make(chan int)
		go func() { cut <- s.drain(pace{window: 50 * time.Millisecond, timeout: 10 * time.Second}, new(lifeline)) }()
		waitFor(t, "end of the listening", s.isDeaf) // which is after the window
		for _, c := range []*client{half, second} {
			if _, err := io.WriteString(c, increment[20:]); err != nil {
				t.Fatal(err)
			}
			if status, _, closing, err := c.receive(); err != nil || status != 200 || !closing {
				t.Errorf("request in flight: %d, closing %v, %v", status, closing, err)
			}
		}
		if n := <-cut; n != 0 {
			t.Errorf("%d connections cut off", n)
		}
	}, "tcp")
}

// TestDrainTimeout: a client that never finishes its request is cut off.
func TestDrainTimeout(t *testing.T) {
	t.Parallel()
	for name, hurry := range map[string]bool{"timeout": false, "hurry": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			overServers(t, func(t *testing.T, s *testServer) {
				c := mustDial(t, s)
				if _, err := io.WriteString(c, increment[:20]); err != nil {
					t.Fatal(err)
				}
				s.awaitReceived(t, 20)
				p, hurried := pace{window: 20 * time.Millisecond, timeout: 100 * time.Millisecond}, make(chan struct{})
				if hurry {
					p = pace{window: time.Minute, timeout: time.Minute}
					close(hurried)
				}
				if cut := s.drain(p, &lifeline{gone: hurried}); cut != 1 {
					t.Errorf("%d connections cut off", cut)
				}
			}, "tcp")
		})
	}
}

// TestDrainOfTheAnswered: a client that has had its last reply, and does not close its
// side, is nobody who was cut off.
func TestDrainOfTheAnswered(t *testing.T) {
	t.Parallel()
	overServers(t, func(t *testing.T, s *testServer) {
		c := mustDial(t, s)
		if _, err := c.send(increment); err != nil {
			t.Fatal(err)
		}
		cut := make(chan int)
		go func() { cut <- s.drain(quick, new(lifeline)) }()
		waitFor(t, "drain", s.draining.Load)
		if closing, err := c.send(increment); !closing || err != nil {
			t.Errorf("closing %v, %v", closing, err)
		}
		if n := <-cut; n != 0 {
			t.Errorf("%d connections cut off", n)
		}
	}, "tcp", "unix")
}

// TestDrainServesTheQueue: connections that nobody has accepted yet when the
// drain begins are served.
func TestDrainServesTheQueue(t *testing.T) {
	t.Parallel()
	overServers(t, func(t *testing.T, s *testServer) {
		clients := make([]*client, 50)
		for i := range clients {
			clients[i] = mustDial(t, s)
			if _, err := io.WriteString(clients[i], increment); err != nil {
				t.Fatal(err)
			}
		}
		closeDoors(t, s)
		s.drain(full, new(lifeline))
		for i, c := range clients {
			if status, _, _, err := c.receive(); err != nil || status != 200 {
				t.Errorf("client %d: %d, %v", i, status, err)
			}
		}
		if got := count(t, s); got != int64(len(clients)) {
			t.Errorf("counted %d of %d", got, len(clients))
		}
	}, "tcp")
}

// TestLeaveLosesNoRequest: requests that race with the end of the window are
// either answered or find the connection closed before they were read.
func TestLeaveLosesNoRequest(t *testing.T) {
	t.Parallel()
	overServers(t, func(t *testing.T, s *testServer) {
		for round := range 200 {
			c, err := dial("tcp", s.addr, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.send(increment); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "idle", func() bool { // on the lane it is when it has answered
				quiet := true
				s.conns.each(func(c *conn) { quiet = quiet && c.phase.Load() == idle })
				return quiet
			})
			before := count(t, s)
			// The request is in the socket before leave is called: never lost.
			if _, err := io.WriteString(c, increment); err != nil {
				t.Fatal(err)
			}
			s.leaveNow()
			if status, _, _, err := c.receive(); err != nil || status != 200 {
				t.Fatalf("round %d: %d, %v", round, status, err)
			}
			if got := count(t, s); got != before+1 {
				t.Fatalf("round %d: counted %d after %d", round, got, before)
			}
			c.Close()
			waitFor(t, "end of connection", func() bool { return s.open() == 0 })
		}
	}, "tcp")
}

func (s *testServer) leaveNow() {
	s.conns.each(func(c *conn) { c.leave() })
	s.do(func(l *loop.Loop) { l.LeaveQuiet(0) })
}

// TestDeadlines: words instead of timers keep the deadlines all the same.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	set := newConns(newTestServer(t, "tcp").store)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c, err := set.add(nc)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 1)
	expire := func() { set.each(func(c *conn) { c.expire(time.Now().UnixNano()) }) }

	// A deadline that a request has overtaken interrupts nothing.
	_ = c.SetDeadline(time.Now().Add(-time.Second))
	expire()
	_ = c.SetDeadline(time.Now().Add(time.Hour))
	if _, err := peer.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(buf); n != 1 || err != nil {
		t.Fatalf("read after an old deadline: %d, %v", n, err)
	}
	if n, err := c.Write(buf); n != 1 || err != nil {
		t.Fatalf("write after an old deadline: %d, %v", n, err)
	}

	// A reader that waits is interrupted.
	_ = c.SetReadDeadline(time.Now())
	read := make(chan error)
	go func() { _, err := c.Read(buf); read <- err }()
	expire()
	if err := <-read; !isTimeout(err) {
		t.Errorf("read beyond the deadline: %v", err)
	}

	// So is a writer whose peer does not read.
	_ = c.SetWriteDeadline(time.Now())
	written := make(chan error)
	go func() { _, err := c.Write(make([]byte, 64<<20)); written <- err }()
	expire()
	if err := <-written; !isTimeout(err) {
		t.Errorf("write beyond the deadline: %v", err)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
