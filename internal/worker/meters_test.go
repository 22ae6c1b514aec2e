package worker

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
)

// TestWhatIsCounted: each request once, with the time of its own answer, and nothing
// that was no request.
func TestWhatIsCounted(t *testing.T) {
	t.Parallel()
	overServers(t, func(t *testing.T, s *testServer) {
		c := mustDial(t, s)
		sent, received := 0, 0
		ask := func(c *client, text string, status int) {
			t.Helper()
			if _, err := io.WriteString(c, text); err != nil {
				t.Fatal(err)
			}
			if got, body, _, err := c.receive(); got != status || err != nil {
				t.Fatalf("%q: %d, %v: %s", text, got, err, body)
			}
			sent, received = sent+len(text), received+1
		}
		ask(c, increment, 200)
		ask(c, "GET /v1/keys/nobody HTTP/1.1\r\nHost: test\r\n\r\n", 404)
		ask(c, "PUT /v1/keys/count HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\n7", 200)
		const idle = 300 * time.Millisecond
		time.Sleep(idle) // which belongs to no request
		ask(c, "PUT /v1/keys/a HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\n", 415)
		c = mustDial(t, s)
		ask(c, increment, 200)
		time.Sleep(idle)
		ask(c, "nonsense\r\n\r\n", 400)

		// A look at whether somebody listens is no request, however it ends.
		for range 3 {
			nc, err := net.Dial("tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			if err := nc.(*net.TCPConn).SetLinger(0); err != nil {
				t.Fatal(err)
			}
			nc.Close()
		}
		const limit = 20 * time.Second
		for end := time.Now().Add(limit); s.meters().Accepted < 5 || s.open() > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d connections accepted, %d open after %v", s.meters().Accepted, s.open(), limit)
			}
		}
		m := s.meters()
		if m.Answers.All() != uint64(received) || m.Answers.Of(shm.Done) != 3 || m.Answers.Of(shm.Refused) != 3 {
			t.Errorf("%d answers, %d done, %d refused; %d were sent", m.Answers.All(), m.Answers.Of(shm.Done), m.Answers.Of(shm.Refused), received)
		}
		if took := time.Duration(m.LatencySum); took >= idle {
			t.Errorf("%v for %d answers: time in which nothing was asked is in it", took, received)
		}
		if m.Received != uint64(sent) || m.Misses != 1 {
			t.Errorf("%d bytes received of %d, %d misses", m.Received, sent, m.Misses)
		}
	}, "tcp")
}

// BenchmarkFinish is what counting one request costs, the clock included.
func BenchmarkFinish(b *testing.B) {
	_, store := newStore(b)
	began := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		store.CountReceived(90)
		store.CountAnswer(1, shm.Done, time.Since(began))
		store.CountSent(150)
	}
}
