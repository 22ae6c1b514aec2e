package worker

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// TestAccessLogOfAnyServer: a line is the same whoever has answered, and costs no
// memory of its own.
func TestAccessLogOfAnyServer(t *testing.T) {
	at := time.Now()
	for name, c := range map[string]struct {
		remote net.Addr
		host   string
	}{
		"IPv4":          {&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, "127.0.0.1"},
		"IPv4 as IPv6":  {&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1).To16(), Port: 1}, "127.0.0.1"},
		"IPv6":          {&net.TCPAddr{IP: net.IPv6loopback, Port: 1}, "::1"},
		"a zone":        {&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0", Port: 1}, "fe80::1%eth0"},
		"a Unix socket": {&net.UnixAddr{Name: "", Net: "unix"}, "unix:"},
	} {
		ctx := new(fasthttp.RequestCtx)
		ctx.Init(&newLogRequest(t, "/count").Request, c.remote, nil)
		ctx.SetBodyString("12")
		format := newLineFormat(1, 2)
		by := answeredBy(ctx, false)
		line := format.append(nil, &by, at)
		lane := answered{
			remote: remoteHost(c.remote), method: []byte("GET"), target: []byte("/count"), protocol: []byte("HTTP/1.1"), status: 200, size: 2,
		}
		if other := format.append(nil, &lane, at); !bytes.Equal(line, other) {
			t.Errorf("%s: %q and %q", name, line, other)
		}
		if !bytes.HasPrefix(line, []byte(c.host+" - - [")) {
			t.Errorf("%s: %q", name, line)
		}
		if n := testing.AllocsPerRun(100, func() { line = format.append(line[:0], &lane, at) }); n != 0 {
			t.Errorf("%s: %v allocations a line", name, n)
		}
	}
}

// TestAccessLogLongestLine: no line is longer than what is kept free for it.
func TestAccessLogLongestLine(t *testing.T) {
	t.Parallel()
	format := newLineFormat(1<<31-1, 1<<31-1)
	long := bytes.Repeat([]byte{0}, maxRequest)
	line := format.append(nil, &answered{
		remote: remoteHost(&net.TCPAddr{IP: net.ParseIP("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), Zone: strings.Repeat("z", 15)}),
		method: long, target: long, protocol: long, status: 999, size: 1<<63 - 1,
	}, time.Now())
	if len(line) > maxLine {
		t.Errorf("%d bytes, %d are kept free", len(line), maxLine)
	}
}
