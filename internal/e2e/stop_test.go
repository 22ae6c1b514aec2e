package e2e_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/e2e"
	"github.com/fondue-server/fondue/internal/shm"
)

// TestGracefulStops: 20 stops under load, no request fails and none is counted
// twice or not at all. The kinds run beside each other, because a client that
// connects during a stop learns only after a second that nobody listens.
func TestGracefulStops(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name   string
		listen string
		flags  []string
		signal syscall.Signal
	}{
		{"reuseport, TERM", "127.0.0.1:0", nil, syscall.SIGTERM},
		{"reuseport, INT", loopback6(t), nil, syscall.SIGINT},
		{"shared", "127.0.0.1:0", []string{"--accept", "shared"}, syscall.SIGTERM},
		{"unix", "unix:" + t.TempDir() + "/s", nil, syscall.SIGTERM},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			region, total := t.TempDir()+"/region", int64(0)
			o := e2e.Options{Workers: 2, Region: region, Listen: []string{kind.listen}, Flags: kind.flags}
			for i := range 5 {
				s := e2e.Start(t, o)
				load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 24, NewConn: 8, Path: "/increment?key=k"})
				e2e.Eventually(t, requestsLimit, "500 requests", func() bool { return load.Acked.Load() > 500 })
				load.Ending()
				s.Signal(kind.signal)
				s.WantExit(0)
				load.Wait()
				if load.Broken.Load() > 0 || load.Odd.Load() > 0 || load.Refused.Load() > 0 {
					t.Errorf("stop %d: %d broken, %d refused before the stop, %d odd: %v", i,
						load.Broken.Load(), load.Refused.Load(), load.Odd.Load(), load.FirstError())
				}
				total += load.Acked.Load()
			}
			s := e2e.Start(t, o)
			if got := count(t, s, "k"); got != total {
				t.Errorf("count is %d, %d were acknowledged", got, total)
			}
			t.Logf("5 stops, %d requests, none failed", total)
		})
	}
}

// loopback6 is a free port of the IPv6 loopback, or of IPv4's without one.
func loopback6(t *testing.T) string {
	probe, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Log("no IPv6 loopback on this host: IPv4 again")
		return "127.0.0.1:0"
	}
	probe.Close()
	return "[::1]:0"
}

// TestQuickStop: workers are ended at once, the region is whole.
func TestQuickStop(t *testing.T) {
	t.Parallel()
	for _, signals := range [][]syscall.Signal{{syscall.SIGQUIT}, {syscall.SIGINT, syscall.SIGINT}, {syscall.SIGTERM, syscall.SIGQUIT}} {
		s := e2e.Start(t, e2e.Options{Workers: 3})
		load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 16, Path: "/increment?key=k"})
		e2e.Eventually(t, requestsLimit, "500 requests", func() bool { return load.Acked.Load() > 500 })
		begun(t, s, 17) // beside the load's: a graceful stop waits for it
		load.Ending()
		for _, sig := range signals {
			s.Signal(sig)
		}
		s.WantExit(0)
		load.Wait()
		next := e2e.Start(t, e2e.Options{Workers: 1, Region: s.Region})
		wantExact(t, count(t, next, "k"), load)
		next.Stop()
	}
}

// begun is a connection with half a request, which a worker has when the server
// has so many connections.
func begun(t *testing.T, s *e2e.Server, connections int64) net.Conn {
	t.Helper()
	region, err := shm.OpenReadOnly(s.Region)
	if err != nil {
		t.Fatal(err)
	}
	defer region.Close()
	conn, err := net.Dial("tcp", s.Addrs[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprint(conn, "POST /increment?key=k HTTP/1.1\r\nHost: fondue\r\nContent-Le")
	e2e.Eventually(t, requestsLimit, "a worker has the connection", func() bool {
		sum := int64(0)
		for _, w := range region.Slots() {
			sum += w.Connections
		}
		return sum >= connections
	})
	return conn
}

// TestStopFreesAddress: while the last request is awaited, clients are refused
// and another server may have the port.
func TestStopFreesAddress(t *testing.T) {
	t.Parallel()
	for _, accept := range []string{"reuseport", "shared"} {
		s := e2e.Start(t, e2e.Options{Workers: 3, Flags: []string{"--accept", accept}})
		conn := begun(t, s, 1)
		s.Signal(syscall.SIGTERM)
		begin := time.Now()
		e2e.Eventually(t, 10*time.Second, "a connect is refused", func() bool {
			c, err := net.DialTimeout("tcp", s.Addrs[0], 100*time.Millisecond)
			if err == nil {
				c.Close()
			}
			return errors.Is(err, syscall.ECONNREFUSED)
		})
		took := time.Since(begin)
		if took > 3*time.Second/2 {
			t.Errorf("%s: refused after %v", accept, took)
		}
		t.Logf("%s: refused after %v", accept, took)
		next := e2e.Start(t, e2e.Options{Workers: 2, Listen: []string{s.Addrs[0]}})
		next.Get("/increment?key=k").WantBody(`{"key":"k","count":1}`)
		next.Stop()
		if !s.Running() {
			t.Fatalf("%s: the first server did not wait; its log:\n%s", accept, s.Log())
		}
		_ = conn.SetDeadline(time.Now().Add(requestsLimit))
		fmt.Fprint(conn, "ngth: 0\r\n\r\n")
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || response.StatusCode != http.StatusOK || !response.Close {
			t.Fatalf("%s: the request that was awaited: %v, %v", accept, response, err)
		}
		response.Body.Close()
		s.WantExit(0)
	}
}
