package idle

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// serve answers every request, and ends connections that are idle for longer than a
// time; 0: none.
func serve(t *testing.T, network string, idle time.Duration, status int) string {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "socket")
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	server := &fasthttp.Server{IdleTimeout: idle, Handler: func(ctx *fasthttp.RequestCtx) { ctx.SetStatusCode(status) }}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := errors.Join(server.Shutdown(), <-ended); err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

var request = []byte("GET / HTTP/1.1\r\nHost: bench\r\n\r\n")

func TestKept(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"tcp", "unix"} {
		c, err := Open(nil, network, serve(t, network, 0, 200), request, 20)
		if err != nil || c.Len() != 20 {
			t.Fatal(c.Len(), err)
		}
		if n, err := c.Closed(); n != 0 || err != nil {
			t.Errorf("%s: %d closed, %v", network, n, err)
		}
		if err := c.Ask(); err != nil {
			t.Errorf("%s: %v", network, err)
		}
		c.Close()
	}
}

func TestNotKept(t *testing.T) {
	t.Parallel()
	c, err := Open(nil, "tcp", serve(t, "tcp", 50*time.Millisecond, 200), request, 5)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for limit := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		n, err := c.Closed()
		if err != nil || time.Now().After(limit) {
			t.Fatal(n, err)
		}
		if n == 5 {
			break
		}
	}
	if err := c.Ask(); !errors.Is(err, ErrHungUp) {
		t.Errorf("error %v", err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	if _, err := Open(nil, "tcp", serve(t, "tcp", 0, 503), request, 5); err == nil || !strings.Contains(err.Error(), "connection 1 of 5: 503") {
		t.Errorf("error %v", err)
	}
	stop := make(chan struct{})
	close(stop)
	if c, err := Open(stop, "tcp", "127.0.0.1:1", request, 5); err != nil || c.Len() != 0 {
		t.Errorf("stopped: %d open, %v", c.Len(), err)
	}
}
