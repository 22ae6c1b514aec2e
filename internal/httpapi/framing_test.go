package httpapi

import (
	"bufio"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// session sends text over one connection and returns everything that comes
// back until the server ends it. It fails unless the server does.
func (c *client) session(text string) string {
	c.t.Helper()
	conn, err := c.listener.Dial()
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	go func() { _, _ = io.WriteString(conn, text) }()
	b, err := io.ReadAll(conn)
	if err != nil {
		c.t.Errorf("%.200q: the connection is kept: %v", text, err)
	}
	return string(b)
}

// TestSmuggling: a request whose end two readers could see at two places is
// refused, nothing of it runs, and nothing after it is read as a request.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	const hidden = "GET /increment?key=hidden HTTP/1.1\r\nHost: a\r\n\r\n"
	length := "Content-Length: " + itoa(len(hidden)) + "\r\n"
	for name, header := range map[string]string{
		"both":               "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"both, other order":  "transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
		"identity":           "Transfer-Encoding: identity\r\n\r\n",
		"identity, length":   "Transfer-Encoding: identity\r\n" + length + "\r\n",
		"identity, any case": "TRANSFER-ENCODING:\tIdentity\r\n\r\n",
		"identity, bare LF":  "Transfer-Encoding: identity\n\n",
		"unknown":            "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"folded":             "X: y\r\n Transfer-Encoding: chunked\r\n\r\n",
		"folded value":       "Transfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n",
		"two lengths":        "Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
		"HTTP/1.0":           "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	} {
		c := newClient(t)
		version := "1.1"
		if name == "HTTP/1.0" {
			version = "1.0"
		}
		answer := c.session("POST /increment?key=open HTTP/" + version + "\r\nHost: a\r\nConnection: keep-alive\r\n" + header + hidden)
		response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
		if err != nil {
			t.Fatalf("%s: %v: %q", name, err, answer)
		}
		body, _ := io.ReadAll(response.Body)
		checkProblem(t, name, response, string(body))
		if response.StatusCode != 400 || !response.Close || strings.Count(answer, "HTTP/1.1 ") != 1 {
			t.Errorf("%s: %q", name, answer)
		}
		for _, key := range []string{"open", "hidden"} {
			if n, err := c.commands.Count([]byte(key)); n != 0 || err != nil {
				t.Errorf("%s: %s is %d, %v", name, key, n, err)
			}
		}
	}
}

// TestConnectionOptions: close is an option in a list, in any case.
func TestConnectionOptions(t *testing.T) {
	t.Parallel()
	for value, closes := range map[string]bool{
		"close": true, "Close": true, "CLOSE": true, "close, TE": true, "keep-alive, close": true, "keep-alive ,\tClose ": true,
		"close\r\nConnection: keep-alive": true, "keep-alive\r\nconnection: close": true,
		"keep-alive": false, "TE": false, "closed, not-close": false, "": false,
	} {
		const last = "GET /count HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
		answer := newClient(t).session("GET /count HTTP/1.1\r\nHost: a\r\nConnection: " + value + "\r\n\r\n" + last)
		want := 2
		if closes {
			want = 1
		}
		if strings.Count(answer, "HTTP/1.1 200") != want || strings.Count(answer, "Connection: close") != 1 {
			t.Errorf("%q: %q", value, answer)
		}
	}
}

// TestExpect: 100 comes only when the body has a chance.
func TestExpect(t *testing.T) {
	t.Parallel()
	for _, s := range []struct{ line, header, want string }{
		{"PUT /v1/keys/a", "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n7", "100 201"},
		{"PUT /v1/keys/a", "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n7\r\n0\r\n\r\n", "100 201"},
		{"PUT /v1/keys/a", "Expect: 100-continue\r\nContent-Length: 9999999\r\n\r\n", "413"},
		{"POST /increment", "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", "400"},
		{"POST /increment", "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
		{"POST /count", "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", "405"},
		{"PUT /nothing", "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", "404"},
		{"PUT /args", "Expect: 100-continue\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
		{"PATCH /v1/keys/a?ttl=1h", "Expect: 100-continue\r\nIf-None-Match: *\r\nContent-Length: 2\r\n\r\n{}", "100 200"},
		{"PUT /args", "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}", "100 200"},
		{"POST /v1/batch", "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n[]", "100 200"},
		{"PUT /v1/keys/" + strings.Repeat("k", 513), "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", "400"},
		{"PUT /v1/keys/", "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", "400"},
		{"PATCH /v1/keys/%2", "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", "400"},
		{"PUT /v1/keys/a?tll=1h", "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", "400"},
		{"PUT /v1/keys/a?ttl=none", "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", "400"},
		{"PUT /args?ttl=1h", "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", "400"},
		{"POST /v1/batch?ttl=1h", "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", "400"},
		{"PUT /v1/keys/a", "Expect: 100-continue\r\nIf-Match: x\r\nContent-Length: 1\r\n\r\n", "400"},
		{"PATCH /v1/keys/a", "Expect: 100-continue\r\nIf-Unmodified-Since: x\r\nContent-Length: 1\r\n\r\n", "400"},
		{"PUT /args", "Expect: 100-continue\r\nIf-Match: *\r\nContent-Length: 2\r\n\r\n", "400"},
		{"POST /v1/batch", "Expect: 100-continue\r\nIf-Match: *\r\nContent-Length: 2\r\n\r\n", "400"},
		{"PUT /v1/keys/a", "Expect: 100-continue\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\n", "415"},
		{"PATCH /v1/keys/a", "Expect: 100-continue\r\nContent-Type: application/json-patch+json\r\nContent-Length: 1\r\n\r\n", "415"},
		{"PUT /args", "Expect: 100-continue\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n", "415"},
		{"POST /v1/batch", "Expect: 100-continue\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n", "415"},
		{"PUT /v1/keys/a", "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n7", "201"},
		{"PUT /v1/keys/a", "Expect: 200-ok\r\nContent-Length: 1\r\n\r\n7", "417"},
	} {
		answer := newClient(t).session(s.line + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + s.header)
		var statuses []string
		for _, m := range regexp.MustCompile(`HTTP/1\.1 (\d+)`).FindAllStringSubmatch(answer, -1) {
			statuses = append(statuses, m[1])
		}
		if got := strings.Join(statuses, " "); got != s.want {
			t.Errorf("%s %q: %s, want %s", s.line, s.header, got, s.want)
		}
		if s.want[0] == '4' && !(strings.Contains(answer, `"detail"`) && strings.Contains(answer, "Connection: close")) {
			t.Errorf("%s %q: %q", s.line, s.header, answer)
		}
	}
}

// TestProtocolErrors: what fasthttp refuses itself is a problem as well, in
// our own words.
func TestProtocolErrors(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for name, s := range map[string]struct {
		raw    string
		status int
		detail string
	}{
		"large header":   {"GET /count HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", MaxHeader) + "\r\n\r\n", 431, "8192 bytes"},
		"large target":   {"GET /count?key=" + strings.Repeat("x", MaxHeader) + " HTTP/1.1\r\nHost: a\r\n\r\n", 431, "8192 bytes"},
		"large body":     {"PUT /args HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n", 413, itoa(MaxBody(c.commands.MaxValue())) + " bytes"},
		"no host":        {"GET /count HTTP/1.1\r\n\r\n", 400, "one Host"},
		"no version":     {"GET /count\r\n\r\n", 400, "request line"},
		"other protocol": {"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400, "request line"},
		"no target":      {"GET  HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request line"},
		"bad length":     {"PUT /args HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400, "Content-Length"},
		"negative":       {"PUT /args HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400, "Content-Length"},
		"two lengths":    {"PUT /args HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400, "once"},
		"bad coding":     {"PUT /args HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 400, "chunked"},
		"bad chunk":      {"PUT /args HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "hexadecimal"},
		"bad chunk end":  {"PUT /args HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n", 400, "hexadecimal"},
		"bad trailer":    {"PUT /args HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx\r\n\r\n", 400, "name: value"},
		"control byte":   {"GET /v1/keys/a\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "control characters"},
		"bad host":       {"GET /count HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, "Host"},
		"no colon":       {"GET /count HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400, "name: value"},
		"slow":           {"GET /count HTTP/1.1\r\nHost: a\r\n", 408, "in time"},
		"HTTP/2":         {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/1.1"},
		"HTTP/2 request": {"GET /increment HTTP/2.0\r\nHost: a\r\n\r\n", 505, "HTTP/1.1"},
		"HTTP/0.9":       {"GET /increment HTTP/0.9\r\nHost: a\r\n\r\n", 505, "HTTP/1.1"},
	} {
		response, body := c.raw(s.raw, "GET")
		detail := checkProblem(t, name, response, body)
		if response.StatusCode != s.status || !response.Close || !strings.Contains(detail, s.detail) {
			t.Errorf("%s: %d, want %d with %q: %s", name, response.StatusCode, s.status, s.detail, body)
		}
		for _, theirs := range []string{"fasthttp", "error when", "buffer size", "hex number", "cannot "} {
			if strings.Contains(detail, theirs) {
				t.Errorf("%s: %q in %q", name, theirs, detail)
			}
		}
	}
	if n, err := c.commands.Count([]byte("count")); n != 0 || err != nil {
		t.Errorf("count is %d, %v", n, err)
	}
	response, body := c.raw("GET /count HTTP/1.2\r\nHost: a\r\n\r\n", "GET")
	if response.StatusCode != 200 {
		t.Errorf("HTTP/1.2: %d %s", response.StatusCode, body)
	}
}
