package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

const requestLimit = 10 * time.Second

// Reply is an HTTP answer read to its end.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte

	tb   testing.TB
	what string
}

// Get asks the first address, each time on a connection of its own: the kernel
// picks the worker anew.
func (s *Server) Get(path string) Reply {
	s.tb.Helper()
	return s.Do(http.MethodGet, path, "")
}

// Do sends one request to the first address on a connection of its own. The
// header is names and values in turn.
func (s *Server) Do(method, path, body string, header ...string) Reply {
	s.tb.Helper()
	return Do(s.tb, s.Addrs[0], method, path, body, header...)
}

// Do sends one request to host:port or unix:/path on a connection of its own.
func Do(tb testing.TB, addr, method, path, body string, header ...string) Reply {
	tb.Helper()
	client := Client(addr)
	defer client.CloseIdleConnections()
	r, err := Send(client, method, path, body, header...)
	if err != nil {
		tb.Errorf("%s %s: %v", method, path, err)
	}
	r.tb, r.what = tb, method+" "+path
	return r
}

// Client returns a client of its own connections, kept alive until its
// CloseIdleConnections. It follows host:port and unix:/path.
func Client(addr string) *http.Client {
	network, target := Target(addr)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, target)
	}
	return &http.Client{Timeout: requestLimit, Transport: &http.Transport{DialContext: dial}}
}

// Target is what to dial for host:port or unix:/path.
func Target(addr string) (network, target string) {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		return "unix", path
	}
	return "tcp", addr
}

// Send sends one request through client and reads the answer; it judges nothing.
func Send(client *http.Client, method, path, body string, header ...string) (Reply, error) {
	request, err := http.NewRequest(method, "http://fondue"+path, strings.NewReader(body))
	if err != nil {
		return Reply{}, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		return Reply{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return Reply{Status: response.StatusCode, Header: response.Header, Body: text}, err
}

// Ask sends one request through client, on the test's behalf.
func Ask(tb testing.TB, client *http.Client, method, path, body string, header ...string) Reply {
	tb.Helper()
	r, err := Send(client, method, path, body, header...)
	if err != nil {
		tb.Errorf("%s %s: %v", method, path, err)
	}
	r.tb, r.what = tb, method+" "+path
	return r
}

// EachWorker returns a client for each worker, by pid, whose one connection
// that worker has. They are closed at the end of the test.
func (s *Server) EachWorker() map[int]*http.Client {
	s.tb.Helper()
	want := len(s.Workers())
	clients := map[int]*http.Client{}
	Eventually(s.tb, readyLimit, "a connection to each worker", func() bool {
		client := Client(s.Addrs[0])
		var report struct {
			PID int `json:"current_process_id"`
		}
		Ask(s.tb, client, http.MethodGet, "/report", "").WantStatus(http.StatusOK).Decode(&report)
		if clients[report.PID] != nil {
			client.CloseIdleConnections()
			return false
		}
		clients[report.PID] = client
		s.tb.Cleanup(client.CloseIdleConnections)
		return len(clients) == want
	})
	return clients
}

// WantStatus asserts the status and returns the reply, to read on.
func (r Reply) WantStatus(status int) Reply {
	r.tb.Helper()
	if r.Status != status {
		r.tb.Errorf("%s: status %d, want %d; body %s", r.what, r.Status, status, r.Body)
	}
	return r
}

// WantBody asserts the body without the white space around it.
func (r Reply) WantBody(body string) Reply {
	r.tb.Helper()
	if got := string(bytes.TrimSpace(r.Body)); got != body {
		r.tb.Errorf("%s: body %s, want %s", r.what, got, body)
	}
	return r
}

// Decode reads a JSON body into v.
func (r Reply) Decode(v any) {
	r.tb.Helper()
	if err := json.Unmarshal(r.Body, v); err != nil {
		r.tb.Fatalf("%s: %v in %s", r.what, err, r.Body)
	}
}
