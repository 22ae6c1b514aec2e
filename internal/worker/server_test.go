package worker

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/shm"
)

// testServer is a server on one loopback listener, over a region on the heap.
type testServer struct {
	*server
	region *shm.Region
	store  *shm.Store
	addr   string
	fd     int // the descriptor that a master would keep
}

// duplicate returns a descriptor of the same listening socket, which the test
// closes.
func duplicate(t testing.TB, c syscall.Conn) int {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var fd int
	if e := raw.Control(func(of uintptr) { fd, err = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 3) }); e != nil || err != nil {
		t.Fatal(e, err)
	}
	return fd
}

// newStore returns a worker's store in an empty region on the heap.
func newStore(t testing.TB) (*shm.Region, *shm.Store) {
	t.Helper()
	region, err := shm.NewHeap(shm.Geometry{Size: 8 << 20, Slots: 4})
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
	store, err := region.Attach(id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if report := region.Check(); !report.OK() {
			t.Errorf("region after the test: %v", report.Violations)
		}
	})
	return region, store
}

func newTestServer(t testing.TB, network string) *testServer { return newServerOf(t, network, false) }

func newServerOf(t testing.TB, network string, lane bool) *testServer {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(t.TempDir(), "s")
	}
	var config net.ListenConfig
	config.SetMultipathTCP(false) // which takes no filter, so its door cannot be closed
	nl, err := config.Listen(t.Context(), network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nl.Close() })
	s := &testServer{addr: nl.Addr().String(), fd: duplicate(t, nl.(syscall.Conn))}
	t.Cleanup(func() { unix.Close(s.fd) })
	s.region, s.store = newStore(t)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	s.server = newServer(command.New(s.region, s.store, shm.Policy{}, os.Getpid()), s.store, nil, log)
	if lane {
		if s.lane, err = newLane(s.server); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.inherit(handoff.Listener{FD: duplicate(t, nl.(syscall.Conn)), Network: network, Addr: s.addr}); err != nil {
		t.Fatal(err)
	}
	s.start()
	t.Cleanup(func() {
		if !s.draining.Load() {
			s.drain(pace{}, new(lifeline))
		}
	})
	return s
}

// client is one keep-alive connection that honours Connection: close.
type client struct {
	net.Conn
	in *bufio.Reader
}

// dial connects within patience: short where the door may be closed, which a
// client learns by waiting.
func dial(network, addr string, patience time.Duration) (*client, error) {
	nc, err := net.DialTimeout(network, addr, patience)
	if err != nil {
		return nil, err
	}
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	return &client{nc, bufio.NewReader(nc)}, nil
}

func mustDial(t testing.TB, s *testServer) *client {
	t.Helper()
	c, err := dial("tcp", s.addr, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

const increment = "GET /increment HTTP/1.1\r\nHost: test\r\n\r\n"

// receive reads one reply.
func (c *client) receive() (status int, body string, closing bool, err error) {
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, "", false, err
	}
	b, err := io.ReadAll(response.Body)
	return response.StatusCode, string(b), response.Close, err
}

func (c *client) send(text string) (closing bool, err error) {
	if _, err := io.WriteString(c, text); err != nil {
		return false, err
	}
	status, body, closing, err := c.receive()
	if err == nil && status != 200 {
		err = fmt.Errorf("status %d: %s", status, body)
	}
	return closing, err
}

func count(t testing.TB, s *testServer) int64 {
	t.Helper()
	n, err := s.store.Get([]byte("count"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestServes(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"tcp", "unix"} {
		s := newTestServer(t, network)
		c, err := dial(network, s.addr, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if closing, err := c.send(increment); err != nil || closing {
				t.Fatalf("%s: closing %v, %v", network, closing, err)
			}
		}
		// Pipelined requests are answered in turn.
		if _, err := io.WriteString(c, increment+increment); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`{"key":"count","count":4}`, `{"key":"count","count":5}`} {
			if _, body, _, err := c.receive(); err != nil || body != want {
				t.Fatalf("%s: %q, %v, want %q", network, body, err, want)
			}
		}
		row := s.commands.Workers()[0]
		if row.Requests != 5 || row.Connections != 1 || row.Errors != 0 {
			t.Errorf("%s: scoreboard %+v", network, row)
		}
		c.Close()
		waitFor(t, "the connection's end", func() bool { return s.commands.Workers()[0].Connections == 0 })
	}
}

func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s within a minute", what)
		}
	}
}

// TestRefusalArrives: a client that is refused while it still sends gets the
// refusal, not a reset.
func TestRefusalArrives(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "tcp")
	c := mustDial(t, s)
	body := make([]byte, 3<<20)
	go func() {
		_, _ = fmt.Fprintf(c, "PUT /args HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n", len(body))
		_, _ = c.Write(body)
	}()
	if status, text, closing, err := c.receive(); err != nil || status != 413 || !closing {
		t.Fatalf("%d %q closing %v: %v", status, text, closing, err)
	}
}

// TestListenerStaysNonblocking: the description is shared with the master and
// the siblings; were it blocking, their accept would block a thread each.
func TestListenerStaysNonblocking(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"tcp", "unix"} {
		s := newTestServer(t, network)
		check := func(when string) {
			t.Helper()
			flags, err := unix.FcntlInt(uintptr(s.fd), unix.F_GETFL, 0)
			if err != nil || flags&unix.O_NONBLOCK == 0 {
				t.Errorf("%s %s: flags %#x, %v", network, when, flags, err)
			}
		}
		check("inherited")
		c, err := dial(network, s.addr, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.send(increment); err != nil {
			t.Fatal(err)
		}
		check("served")
		c.Close()
		s.drain(quick, new(lifeline))
		check("closed")
	}
}

// failingListener fails its first accepts.
type failingListener struct {
	net.Listener
	errs []error
}

func (f *failingListener) Accept() (net.Conn, error) {
	if len(f.errs) == 0 {
		return f.Listener.Accept()
	}
	err := f.errs[0]
	f.errs = f.errs[1:]
	return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", err)}
}

// TestAcceptOutlastsShortages: only a socket that is unusable for good ends
// the accept loop.
func TestAcceptOutlastsShortages(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "tcp")
	for _, c := range []struct {
		errs []error
		want error
	}{
		{[]error{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.ECONNABORTED}, nil},
		{[]error{unix.EPROTO, unix.ENETDOWN, unix.EPERM}, nil},
		{[]error{unix.EMFILE, unix.EBADF}, unix.EBADF},
		{[]error{unix.EINVAL}, unix.EINVAL},
	} {
		nl, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l := &listener{
			Listener: &failingListener{nl, c.errs}, door: door{conns: s.conns}, log: s.log, closing: make(chan struct{}),
		}
		peer, err := net.Dial("tcp", nl.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		nc, err := l.Accept()
		if !errors.Is(err, c.want) {
			t.Errorf("after %v: %v", c.errs, err)
		}
		if err == nil {
			nc.Close()
		}
		l.Close()
		if _, err := l.Accept(); err != io.EOF {
			t.Errorf("closed: %v", err)
		}
		peer.Close()
	}
}
