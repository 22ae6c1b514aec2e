package worker

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// acceptRaw is a client's connection and what an event loop has of it: a descriptor,
// told to the store, of which nothing has been read.
func acceptRaw(t testing.TB, s *testServer, network string) (*client, handed) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(t.TempDir(), "s")
	}
	nl, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nl.Close()
	c, err := dial(network, nl.Addr().String(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	nc, err := nl.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	s.store.ConnOpened()
	return c, handed{
		fd: duplicate(t, nc.(syscall.Conn)), local: nc.LocalAddr(), remote: nc.RemoteAddr(), accepted: time.Now(),
	}
}

// read has the loop read n bytes of what the client sends.
func (h *handed) read(t testing.TB, s *testServer, n int) {
	t.Helper()
	h.began = time.Now()
	for buffer := make([]byte, n); len(h.first) < n; {
		p := []unix.PollFd{{Fd: int32(h.fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(p, 20_000); err != nil && !errors.Is(err, unix.EINTR) {
			t.Fatal(err)
		}
		got, err := unix.Read(h.fd, buffer[:n-len(h.first)])
		if err != nil || got == 0 {
			t.Fatalf("%d bytes, %v", got, err)
		}
		h.first = append(h.first, buffer[:got]...)
	}
	s.store.CountReceived(n)
}

// handOver has a client send the text, of which the loop reads n bytes, and serves
// the connection.
func handOver(t testing.TB, s *testServer, network, text string, n int, change func(*client, *handed)) *client {
	t.Helper()
	c, h := acceptRaw(t, s, network)
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	h.read(t, s, n)
	if change != nil {
		change(c, &h)
	}
	s.serveHanded(h)
	return c
}

// TestHandedOver: wherever in its requests a connection is handed over, all of them
// are answered in turn, and nothing is counted twice.
func TestHandedOver(t *testing.T) {
	t.Parallel()
	put := fmt.Sprintf("PUT /v1/keys/big HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n\"%s\"", 300_002, strings.Repeat("x", 300_000))
	s := newTestServer(t, "tcp")
	first := mustDial(t, s)
	if _, err := io.WriteString(first, put); err != nil {
		t.Fatal(err)
	}
	if status, body, _, err := first.receive(); status != 201 || err != nil { // all others replace it
		t.Fatalf("%d %s, %v", status, body, err)
	}
	first.Close()
	s.awaitNone(t)
	for _, network := range []string{"tcp", "unix"} {
		for name, h := range map[string]struct {
			text     string
			read     int
			statuses []int
		}{
			"nothing read":         {increment, 0, []int{200}},
			"one byte":             {increment, 1, []int{200}},
			"within the head":      {increment, 20, []int{200}},
			"a whole request":      {increment, len(increment), []int{200}},
			"in the second":        {increment + increment, len(increment) + 20, []int{200, 200}},
			"three at once":        {increment + increment + increment, 3 * len(increment), []int{200, 200, 200}},
			"before a body":        {put + increment, strings.Index(put, "\""), []int{200, 200}},
			"within a body":        {put + increment, 200_000, []int{200, 200}}, // longer than fasthttp's buffer
			"behind a long body":   {put + increment, len(put) + 10, []int{200, 200}},
			"no request":           {"nonsense\r\n\r\n", 5, []int{400}},
			"refused with its end": {"PUT /args HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n" + strings.Repeat("x", 3_000_000), 30, []int{413}},
		} {
			t.Run(network+"/"+name, func(t *testing.T) {
				before := s.region.Meters(s.store.ID().Slot)
				c, hand := acceptRaw(t, s, network)
				go func() { _, _ = io.WriteString(c, h.text) }() // what does not arrive is missed in the answers
				hand.read(t, s, h.read)
				s.serveHanded(hand)
				for i, want := range h.statuses {
					if status, body, _, err := c.receive(); status != want || err != nil {
						t.Fatalf("answer %d: %d %s, %v", i, status, body, err)
					}
				}
				if n := s.conns.count(); n > 1 {
					t.Errorf("%d connections", n)
				}
				c.Close()
				s.awaitNone(t)
				m := s.region.Meters(s.store.ID().Slot)
				accepted, answers, received := m.Accepted-before.Accepted, m.Answers.All()-before.Answers.All(), m.Received-before.Received
				if accepted != 1 || answers != uint64(len(h.statuses)) || h.statuses[0] < 400 && received != uint64(len(h.text)) {
					t.Errorf("%d accepted, %d answers, %d bytes received of %d", accepted, answers, received, len(h.text))
				}
			})
		}
	}
}

// TestHandedOverFirst: what was read before comes first, however little is asked for
// at once, and nothing of it is kept then.
func TestHandedOverFirst(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "tcp")
	peer, h := acceptRaw(t, s, "tcp")
	if _, err := io.WriteString(peer, "0123456789"); err != nil {
		t.Fatal(err)
	}
	h.read(t, s, 5)
	c, err := s.conns.take(h)
	if err != nil {
		t.Fatal(err)
	}
	if p := c.phase.Load(); p != busy || c.leave() {
		t.Errorf("phase %d, or it was asked to leave", p)
	}
	var got []byte
	for _, size := range []int{0, 1, 3, 8} {
		p := make([]byte, size)
		n, err := c.Read(p)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p[:n]...)
	}
	if string(got) != "01234" || c.first != nil {
		t.Errorf("%q, %d bytes are kept", got, cap(c.first))
	}
	rest := make([]byte, 5)
	if _, err := io.ReadFull(c, rest); err != nil || string(rest) != "56789" {
		t.Errorf("%q, %v", rest, err)
	}
	if m := s.region.Meters(s.store.ID().Slot); m.Received != 10 {
		t.Errorf("%d bytes received", m.Received)
	}
	c.Close()
	s.awaitNone(t)
}

// TestHandedOverLate: a request whose rest the loop has awaited long enough is
// refused at once; where there is none, the connection ends in silence.
func TestHandedOverLate(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "tcp")
	late := func(_ *client, h *handed) { h.late = true }
	const body = "PUT /v1/keys/k HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n["
	for text, want := range map[string]int{increment[:20]: 408, body: 408, increment: 200} {
		c := handOver(t, s, "tcp", text, len(text), late)
		if status, answer, closing, err := c.receive(); status != want || closing != (want == 408) || err != nil {
			t.Errorf("%.20q: %d %s, closing %v, %v", text, status, answer, closing, err)
		}
		c.Close()
	}
	c := handOver(t, s, "tcp", "", 0, late)
	if b, err := io.ReadAll(c); len(b) > 0 || err != nil {
		t.Errorf("nothing was asked: %q, %v", b, err)
	}
	s.awaitNone(t)
}

// TestHandedOverEnded: the end of the client's side counts as ever.
func TestHandedOverEnded(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "tcp")
	ended := func(c *client, h *handed) {
		_ = c.Conn.(*net.TCPConn).CloseWrite()
		waitFor(t, "the end of the stream", func() bool { // which the loop finds
			n, err := unix.Read(h.fd, make([]byte, 1))
			return n == 0 && err == nil
		})
	}
	for text, want := range map[string]int{increment: 200, increment[:20]: 400} {
		c := handOver(t, s, "tcp", text, len(text), ended)
		if status, body, _, err := c.receive(); status != want || err != nil {
			t.Errorf("%q: %d %s, %v", text, status, body, err)
		}
		if b, err := io.ReadAll(c.in); len(b) > 0 || err != nil {
			t.Errorf("%q: then %q, %v", text, b, err)
		}
	}
	s.awaitNone(t)
}

// TestHandedOverTime: what a client has used of the time for its request stays used,
// and the requests after it have all of theirs.
func TestHandedOverTime(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "tcp")
	nearlyOver := func(_ *client, h *handed) { h.began = time.Now().Add(200*time.Millisecond - readTimeout) }
	slow := handOver(t, s, "tcp", increment[:20], 20, nearlyOver)
	next := handOver(t, s, "tcp", increment, len(increment), nearlyOver)
	if status, _, _, err := next.receive(); status != 200 || err != nil {
		t.Fatal(status, err)
	}
	begin := time.Now()
	if status, _, closing, err := slow.receive(); status != 408 || !closing || err != nil {
		t.Errorf("%d, closing %v, %v", status, closing, err)
	}
	if took := time.Since(begin); took > 15*time.Second {
		t.Errorf("refused after %v", took)
	}
	time.Sleep(2 * sweepInterval)
	if _, err := next.send(increment); err != nil {
		t.Errorf("its next request: %v", err)
	}
	c := &conn{firstBy: 1000}
	for asked, want := range map[time.Time]int64{{}: 1000, time.Unix(0, 1001): 1000, time.Unix(0, 999): 999} {
		_ = c.SetReadDeadline(asked)
		if by := c.readBy.Load(); by != want {
			t.Errorf("read by %d, want %d", by, want)
		}
	}
}

// TestHandedOverDrain: a drain treats it as any other.
func TestHandedOverDrain(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "tcp")
	half := handOver(t, s, "tcp", increment[:20], 20, nil)
	none := handOver(t, s, "tcp", "", 0, nil)
	never := handOver(t, s, "tcp", increment[:20], 20, nil)
	if n := s.conns.count(); n != 3 {
		t.Fatalf("%d connections", n)
	}
	cut := make(chan int)
	go func() { cut <- s.drain(pace{window: 200 * time.Millisecond, timeout: 3 * time.Second}, new(lifeline)) }()
	if b, err := io.ReadAll(none); len(b) > 0 || err != nil { // which is after the window
		t.Errorf("nothing was asked: %q, %v", b, err)
	}
	if closing, err := half.send(increment[20:]); err != nil || !closing {
		t.Errorf("closing %v, %v", closing, err)
	}
	if n := <-cut; n != 1 {
		t.Errorf("%d connections cut off", n)
	}
	if b, _ := io.ReadAll(never); len(b) > 0 {
		t.Errorf("cut off with %q", b)
	}
	s.awaitNone(t)
}

// TestHandedOverHurry: where others wait for the worker to leave, the rest of a
// request that was handed over is not awaited for long.
func TestHandedOverHurry(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "tcp")
	c := handOver(t, s, "tcp", increment[:20], 20, nil)
	line := new(lifeline)
	line.leave.Store(true)
	if cut := s.drain(full, line); cut != 0 {
		t.Errorf("%d connections cut off", cut)
	}
	if status, _, closing, err := c.receive(); status != 408 || !closing || err != nil {
		t.Errorf("%d, closing %v, %v", status, closing, err)
	}
}

// TestHandedOverInVain: a descriptor that cannot be served is closed, told in the
// log and no open connection any more.
func TestHandedOverInVain(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "tcp")
	c, h := acceptRaw(t, s, "tcp")
	if err := unix.SetNonblock(h.fd, false); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s.log = slog.New(slog.NewTextHandler(&log, nil))
	s.serveHanded(h)
	if !strings.Contains(log.String(), "a connection is lost") {
		t.Errorf("log: %s", log.String())
	}
	if b, err := bufio.NewReader(c).ReadByte(); err == nil {
		t.Errorf("it sent %q", b)
	}
	s.awaitNone(t)
}
