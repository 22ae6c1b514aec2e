package worker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/shm"
)

// TestFaultsAreLogged: an answer of 500 is told in the log, and a fault that
// lasts does not fill it.
func TestFaultsAreLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	region, store := newStore(t)
	s := newServer(command.New(region, store, shm.Policy{}, os.Getpid()), store, nil, slog.New(slog.NewTextHandler(&log, nil)))
	for range 100 {
		s.fault(errors.New("some reason"))
		s.fault(fmt.Errorf("shard 3: %w", shm.ErrCorrupt))
	}
	if got := log.String(); strings.Count(got, "\n") != 2 || strings.Count(got, "level=ERROR") != 2 ||
		!strings.Contains(got, "fondue check") || !strings.Contains(got, "shard 3") || !strings.Contains(got, "some reason") {
		t.Errorf("log: %s", got)
	}
}

// TestCutOff: a request that a half-close cuts off is refused, however its
// body is framed, and a connection that ends between requests ends in silence.
func TestCutOff(t *testing.T) {
	t.Parallel()
	overServers(t, func(t *testing.T, s *testServer) {
		for name, c := range map[string]struct {
			text   string
			status int
		}{
			"plain":           {increment[:20], 400},
			"header":          {"PUT /args HTTP/1.1\r\nHost: a\r\n", 400},
			"length":          {"PUT /args HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n{}", 400},
			"before a chunk":  {"PUT /args HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", 400},
			"first chunk":     {"PUT /args HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
			"within a chunk":  {"PUT /args HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}", 400},
			"within its size": {"PUT /args HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2", 400},
			"last chunk":      {"PUT /args HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0", 400},
			"nothing":         {"", 0},
		} {
			conn := mustDial(t, s)
			if _, err := conn.send(increment); err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(conn, c.text)
			_ = conn.Conn.(*net.TCPConn).CloseWrite()
			status, body, closing, err := conn.receive()
			switch {
			case c.status == 0:
				if err != io.EOF && err != io.ErrUnexpectedEOF {
					t.Errorf("%s: %d %s %v", name, status, body, err)
				}
			case err != nil || status != c.status || !closing || !strings.Contains(body, "ended"):
				t.Errorf("%s: %d closing %v %s %v", name, status, closing, body, err)
			}
		}
	}, "tcp")
}

// TestRefusedExpectation: a client that waits with its body, and one that does
// not, read the refusal, and it is counted.
func TestRefusedExpectation(t *testing.T) {
	t.Parallel()
	overServers(t, func(t *testing.T, s *testServer) {
		for _, body := range []string{"", strings.Repeat("x", 2<<20)} {
			c := mustDial(t, s)
			go func() {
				_, _ = fmt.Fprintf(c, "PUT /args HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n%s", 2<<20, body)
			}()
			if status, text, closing, err := c.receive(); err != nil || status != 413 || !closing || !strings.Contains(text, "detail") {
				t.Errorf("%d %q closing %v: %v", status, text, closing, err)
			}
		}
		if row := s.commands.Workers()[0]; row.Requests != 2 {
			t.Errorf("%d requests were counted", row.Requests)
		}
	}, "tcp")
}
