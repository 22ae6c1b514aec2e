package loop

import (
	"bytes"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/socket"
)

// lines is a protocol of lines. "take" hands over, "close" is answered and closes,
// "big N" is answered with N bytes, "later" when it is asked for the third time, and any
// other line is answered as it is.
type lines struct {
	mu    sync.Mutex
	taken []Handed
	steps atomic.Int64
}

func (p *lines) Step(c *Conn, in, out []byte) (int, []byte, Next) {
	end := bytes.IndexByte(in, '\n')
	if end < 0 {
		return 0, out, More
	}
	line := in[:end+1]
	word, number, _ := bytes.Cut(in[:end], []byte(" "))
	n, _ := strconv.Atoi(string(number))
	switch {
	case string(word) == "take":
		return 0, out, HandOver
	case string(word) == "later" && c.Tag < 2:
		c.Tag++
		return 0, out, Later
	}
	c.Tag = 0
	p.steps.Add(1)
	switch string(word) {
	case "close":
		return len(line), append(out, line...), Close
	case "big":
		return len(line), append(out, make([]byte, n)...), Again
	}
	return len(line), append(out, line...), Again
}

func (p *lines) Take(h Handed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken = append(p.taken, h)
}

// handed waits for a connection that was handed over.
func (p *lines) handed(t *testing.T) (h Handed) {
	t.Helper()
	eventually(t, "a connection that is handed over", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.taken) == 0 {
			return false
		}
		h, p.taken = p.taken[0], p.taken[1:]
		return true
	})
	t.Cleanup(func() { unix.Close(h.FD) })
	return h
}

// counts are meters that a test reads.
type counts struct {
	opened, closed         atomic.Int64
	received, sent, ticked atomic.Int64
	accepted               atomic.Int64
}

func (m *counts) ConnOpened()         { m.opened.Add(1) }
func (m *counts) ConnClosed()         { m.closed.Add(1) }
func (m *counts) CountReceived(n int) { m.received.Add(int64(n)) }
func (m *counts) CountSent(n int)     { m.sent.Add(int64(n)) }

// served is a loop that runs.
type served struct {
	*Loop
	*lines
	*counts
	addr  unix.Sockaddr
	short chan error
	door  int // the listening socket
}

// long are limits that no test reaches.
var long = Limits{Read: time.Minute, Write: time.Minute, Idle: time.Minute, Linger: time.Minute, LingerBytes: 1 << 20}

func serve(t *testing.T, limits Limits) *served {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 1000); err != nil {
		t.Fatal(err)
	}
	return serveOn(t, fd, limits, false)
}

// serveOn runs a loop over a listening socket, which it closes.
func serveOn(t *testing.T, fd int, limits Limits, shared bool) *served {
	t.Helper()
	s := &served{lines: &lines{}, counts: &counts{}, short: make(chan error, 1000), door: fd}
	l, err := New(Config{
		Limits: limits, Meters: s.counts, Tick: func() { s.counts.ticked.Add(1) },
		Accepted: func(int, int) { s.accepted.Add(1) },
		Short:    func(_ int, err error) { s.short <- err },
		Lost:     func(err error) { t.Errorf("a connection is lost: %v", err) },
		Failed:   func(_ int, err error) { t.Errorf("the door failed: %v", err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Loop = l
	if s.addr, err = unix.Getsockname(fd); err != nil {
		t.Fatal(err)
	}
	if err := l.Listen(Door{FD: fd, Shared: shared, Protocol: s.lines}); err != nil {
		t.Fatal(err)
	}
	go l.Run() // ends with Stop
	t.Cleanup(func() {
		l.Do(func() { l.EndDoors(); l.CloseAll() })
		l.Stop()
		unix.Close(fd)
		if n := l.Open(); n != 0 {
			t.Errorf("%d connections are open at the end", n)
		}
	})
	return s
}

// client is the other side of a connection; its calls wait.
type client struct {
	t      *testing.T
	fd     int
	closed atomic.Bool
}

func (s *served) dial(t *testing.T) *client {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, fd: fd}
	t.Cleanup(c.close)
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 20})
	if err := unix.Connect(fd, s.addr); err != nil {
		t.Fatal(err)
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	return c
}

// close closes the connection, unless the test has: the descriptor may be another's by
// then.
func (c *client) close() {
	if !c.closed.Swap(true) {
		unix.Close(c.fd)
	}
}

func (c *client) send(text string) {
	c.t.Helper()
	for p := []byte(text); len(p) > 0; {
		n, errno := socket.Send(c.fd, p)
		if errno == unix.EAGAIN {
			time.Sleep(time.Millisecond)
			continue
		}
		if errno != 0 {
			c.t.Fatal(errno)
		}
		p = p[n:]
	}
}

// expect reads as many bytes as want has.
func (c *client) expect(want string) {
	c.t.Helper()
	got := make([]byte, len(want))
	for n := 0; n < len(got); {
		more, err := unix.Read(c.fd, got[n:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || more == 0 {
			c.t.Fatalf("read %d bytes, %.100q, want %d, %.100q: %v", n, got[:n], len(want), want, err)
		}
		n += more
	}
	if string(got) != want {
		c.t.Fatalf("read %.100q, want %.100q", got, want)
	}
}

// ends waits for the end of the stream.
func (c *client) ends() {
	c.t.Helper()
	var b [100]byte
	for {
		n, err := unix.Read(c.fd, b[:])
		if err == unix.EINTR {
			continue
		}
		if n != 0 || err != nil {
			c.t.Fatalf("read %q, %v instead of the end", b[:max(n, 0)], err)
		}
		return
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain for " + what)
		}
	}
}
