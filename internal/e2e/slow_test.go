package e2e_test

import (
	"bufio"
	"net"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/e2e"
)

// TestSlowClients: 2,000 clients that have sent half a request cost the others
// nothing: they wait in the kernel, and in one goroutine each.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	slow := 2000
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil && files.Cur < uint64(2*slow) {
		slow = int(files.Cur / 2)
		t.Logf("only %d descriptors here: %d clients", files.Cur, slow)
	}
	s := e2e.Start(t, e2e.Options{Workers: 2})
	alone := latencies(t, s, 2000)
	var clients []net.Conn
	for range slow {
		c, err := net.Dial("tcp", s.Addrs[0])
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
		if _, err := c.Write([]byte("POST /increment?key=slow HTTP/1.1\r\nHost: f")); err != nil {
			t.Fatal(err)
		}
	}
	beside := latencies(t, s, 2000)
	t.Logf("p99 alone %v, beside %d half-open requests %v; p50 %v and %v", quantile(alone, 0.99), slow, quantile(beside, 0.99),
		quantile(alone, 0.5), quantile(beside, 0.5))
	// Far beyond noise: what waits for a slow client waits for seconds.
	if p99 := quantile(beside, 0.99); p99 > 2*quantile(alone, 0.99)+100*time.Millisecond {
		t.Errorf("p99 %v", p99)
	}
	for _, c := range clients { // a stop would wait for the rest of their requests
		c.Close()
	}
	s.Get("/count?key=slow").WantBody("0") // no half request counts
	s.Stop()
}

// latencies of n requests, one after the other on connections of their own, by
// their size.
func latencies(t *testing.T, s *e2e.Server, n int) (took []time.Duration) {
	t.Helper()
	for range n {
		begin := time.Now()
		c, err := net.Dial("tcp", s.Addrs[0])
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(begin.Add(requestsLimit)) // a connection takes deadlines
		if _, err := c.Write([]byte("POST /increment?key=k HTTP/1.1\r\nHost: f\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", response, err)
		}
		took = append(took, time.Since(begin))
		c.Close()
	}
	slices.Sort(took)
	return took
}
