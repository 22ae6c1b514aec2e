package worker

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

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
	overServers(t, func(t *testing.T, s *testServer) {
		c := mustDial(t, s)
		for range 3 {
			if closing, err := c.send(increment); err != nil || closing {
				t.Fatalf("closing %v, %v", closing, err)
			}
		}
		// Pipelined requests are answered in turn.
		if _, err := io.WriteString(c, increment+increment); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`{"key":"count","count":4}`, `{"key":"count","count":5}`} {
			if _, body, _, err := c.receive(); err != nil || body != want {
				t.Fatalf("%q, %v, want %q", body, err, want)
			}
		}
		row := s.commands.Workers()[0]
		if row.Requests != 5 || row.Connections != 1 || row.Errors != 0 {
			t.Errorf("scoreboard %+v", row)
		}
		c.Close()
		s.awaitNone(t)
	}, "tcp", "unix")
}

// TestRefusalArrives: a client that is refused while it still sends gets the
// refusal, not a reset.
func TestRefusalArrives(t *testing.T) {
	t.Parallel()
	overServers(t, func(t *testing.T, s *testServer) {
		c := mustDial(t, s)
		body := make([]byte, 3<<20)
		go func() {
			_, _ = fmt.Fprintf(c, "PUT /args HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n", len(body))
			_, _ = c.Write(body)
		}()
		if status, text, closing, err := c.receive(); err != nil || status != 413 || !closing {
			t.Fatalf("%d %q closing %v: %v", status, text, closing, err)
		}
	}, "tcp")
}

// TestListenerStaysNonblocking: the description is shared with the master and
// the siblings; were it blocking, their accept would block a thread each.
func TestListenerStaysNonblocking(t *testing.T) {
	t.Parallel()
	overServers(t, func(t *testing.T, s *testServer) {
		check := func(when string) {
			t.Helper()
			flags, err := unix.FcntlInt(uintptr(s.fd), unix.F_GETFL, 0)
			if err != nil || flags&unix.O_NONBLOCK == 0 {
				t.Errorf("%s: flags %#x, %v", when, flags, err)
			}
		}
		check("inherited")
		c := mustDial(t, s)
		if _, err := c.send(increment); err != nil {
			t.Fatal(err)
		}
		check("served")
		c.Close()
		s.drain(quick, new(lifeline))
		check("closed")
	}, "tcp", "unix")
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
