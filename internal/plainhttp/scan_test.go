package plainhttp

import (
	"bufio"
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

const plain = "GET /increment?key=a HTTP/1.1\r\nHost: localhost:8000\r\nUser-Agent: x/1 (y; z)\r\nAccept: */*\r\n\r\n"

var examples = []struct {
	text string
	want Verdict
}{
	{plain, Whole},
	{"POST /v1/keys/a/increment HTTP/1.1\r\nhost: [::1]:8000\r\ncontent-length: 0\r\nConnection: Keep-Alive\r\n\r\n", Whole},
	{"GET / HTTP/1.1\r\nHost: a_b.c\r\nConnection: close\r\nX-Any: \r\n\r\n", Whole},
	{"GET / HTTP/1.1\r\nX: y\r\nHost:127.0.0.1\r\n\r\nGET", Whole},
	{"GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", Whole},
	{"GET / HTTP/1.1\r\nHost: [::1]8\r\n\r\n", Doubt},
	{"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", Doubt},
	{"GET / HTTP/1.1\r\nHost: [1.2.3.4]\r\n\r\n", Doubt},
	{"GET / HTTP/1.1\r\nHost: a:\r\n\r\n", Doubt},
	{"", Part},
	{"GE", Part},
	{"POST /a", Part},
	{"GET /a HTTP/1.1\r\nHost: a\r\n\r", Part},
	{"GET /a HTTP/1.1\r\nHo", Part},
	{"PUT /a HTTP/1.1\r\nHost: a\r\n\r\n", Doubt},
	{"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", Doubt},
	{"GET /a HTTP/1.0\r\nHost: a\r\n\r\n", Doubt},
	{"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", Doubt},
	{"GET /\xfc HTTP/1.1\r\nHost: a\r\n\r\n", Doubt},
	{"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", Doubt},
	{"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", Doubt},
	{"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Doubt},
	{"GET / HTTP/1.1\nHost: a\n\n", Doubt},
	{"GET / HTTP/1.1\r\nHost: a\n\r\n", Doubt},
	{"GET / HTTP/1.1\r\n\r\n", Doubt},
	{"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Doubt},
	{"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", Doubt},
	{"GET / HTTP/1.1\r\nHost: [fe80::1%25a]\r\n\r\n", Doubt},
	{"GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", Doubt},
	{"GET / HTTP/1.1\r\nHost: a\r\n b: c\r\n\r\n", Doubt},
	{"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", Doubt},
	{"GET / HTTP/1.1\r\nHost: a\r\nX: \ty\r\n\r\n", Doubt},
	{"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", Doubt},
	{"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", Doubt},
	{"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", Doubt},
	{"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\r\n", Doubt},
	{"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nConnection: close\r\n\r\n", Doubt},
	{"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", Doubt},
	{"GET / HTTP/1.1\r\nHost: a\r\nIf-Match: *\r\n\r\n", Doubt},
	{"GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n", Doubt},
	{"GET /" + strings.Repeat("a", MaxHead), Doubt},
	{"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("a", MaxHead) + "\r\n\r\n", Doubt},
}

// TestScan: each form is what it is, the second time, too, when its header is known.
func TestScan(t *testing.T) {
	t.Parallel()
	var s Scanner
	for _, e := range examples {
		var hint Hint
		for range 2 {
			var r Request
			if got := s.Scan([]byte(e.text), &r, &hint); got != e.want {
				t.Errorf("%.80q: %d, not %d", e.text, got, e.want)
			}
		}
	}
}

// TestFields: what a request says is read, from a known header and from a new one.
func TestFields(t *testing.T) {
	t.Parallel()
	var s Scanner
	var hint Hint
	for i, closes := range []bool{true, false, true, true} {
		text := "POST /b?c HTTP/1.1\r\nHost: a\r\n"
		if closes {
			text += "Connection: close\r\n"
		}
		text += "\r\n"
		var r Request
		v := s.Scan([]byte(text+"GET /more"), &r, &hint)
		if v != Whole || string(r.Method()) != "POST" || string(r.Target) != "/b?c" || r.Close != closes || r.Size != len(text) {
			t.Errorf("%d: %d, %+v", i, v, r)
		}
	}
}

// TestPlainAllocatesNothing: a request whose header is known costs no allocation.
func TestPlainAllocatesNothing(t *testing.T) {
	var s Scanner
	var hint Hint
	var r Request
	in := []byte(plain)
	if n := testing.AllocsPerRun(100, func() {
		if s.Scan(in, &r, &hint) != Whole {
			t.Fatal("it is not plain")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkScan(b *testing.B) {
	var s Scanner
	var hint Hint
	var r Request
	in := []byte(plain)
	b.Run("known", func(b *testing.B) {
		for b.Loop() {
			s.Scan(in, &r, &hint)
		}
	})
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			s.seen[hint].block = nil
			s.Scan(in, &r, &hint)
		}
	})
}

// FuzzScan: what is found plain is, to the complete parser, a request without a body
// that ends where it was found to end, and says the same. The verdict depends on
// nothing that was scanned before, and the beginning of what is plain is never
// doubted.
func FuzzScan(f *testing.F) {
	for _, e := range examples {
		f.Add([]byte(e.text), uint8(0))
	}
	var used Scanner // by all inputs
	f.Fuzz(func(t *testing.T, in []byte, hint uint8) {
		var r, again Request
		var none Hint
		verdict := new(Scanner).Scan(in, &r, &none)
		for range 2 {
			if v := used.Scan(in, &again, &hint); v != verdict || v == Whole && (again.Size != r.Size || again.Close != r.Close) {
				t.Fatalf("%q: %d, %+v, and then %d, %+v", in, verdict, r, v, again)
			}
		}
		if verdict != Whole {
			return
		}
		for n := range r.Size {
			var part Request
			if v := used.Scan(in[:n], &part, &hint); v != Part {
				t.Fatalf("%q: the first %d bytes are %d", in, n, v)
			}
		}
		var request fasthttp.Request
		rest := bytes.NewReader(in)
		reader := bufio.NewReaderSize(rest, 8<<10)
		if err := request.Read(reader); err != nil {
			t.Fatalf("%q is found plain, and is %v", in, err)
		}
		if used := len(in) - rest.Len() - reader.Buffered(); used != r.Size {
			t.Fatalf("%q: %d bytes, not %d", in, used, r.Size)
		}
		header := &request.Header
		if string(header.Method()) != string(r.Method()) || !bytes.Equal(header.RequestURI(), r.Target) || len(request.Body()) > 0 ||
			!header.IsHTTP11() || request.MayContinue() || strings.EqualFold(string(header.Peek("Connection")), "close") != r.Close {
			t.Fatalf("%q: %+v, and\n%s", in, r, request.String())
		}
		// The URI is parsed before the handler is called.
		if host := request.URI().Host(); len(host) == 0 && errors.Is(request.URI().Parse(header.Host(), header.RequestURI()), fasthttp.ErrorInvalidURI) {
			t.Fatalf("%q: the host is not valid", in)
		}
	})
}
