package worker

import (
	"bytes"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// tokens are what bytes from 0x80 on stand for in the fuzzer's input: the parts that
// requests are made of, so that a mutation is likely to be a request again. Bytes
// beyond them stand for themselves.
var tokens = []string{
	"GET ", "POST ", "PUT ", "DELETE ", "HEAD ", "OPTIONS ", "PATCH ",
	"/increment", "/report", "/reset", "/count", "/healthz", "/readyz", "/args", "/v1/keys", "/v1/batch",
	"/hits", "/most", "/object", "/long", "/new",
	"?key=", "&by=", "?by=", "&init=", "&ttl=", "?ttl=", "hits",
	" HTTP/1.1\r\n", " HTTP/1.0\r\n", "\r\n", "Host: a\r\n",
	"Content-Length: ", "Transfer-Encoding: chunked\r\n", "Expect: 100-continue\r\n", "Connection: close\r\n",
	"Connection: keep-alive\r\n", "If-None-Match: *\r\n", "If-Match: ", "Content-Type: application/json\r\n",
	"User-Agent: x\r\n", "Upgrade: h2c\r\n", "Host: ", "http://a", "x-field: ",
	"GET /increment HTTP/1.1\r\nHost: a\r\n\r\n", "GET /count?key=hits HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST /v1/keys/hits/increment HTTP/1.1\r\nHost: a\r\n\r\n",
	"PUT /v1/keys/new HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n7",
	"GET /v1/keys/hits HTTP/1.1\r\nHost: a\r\n\r\n",
}

// pack writes a text by tokens where it can.
func pack(text string) (packed []byte) {
	for len(text) > 0 {
		token, size := text[0], 1
		for i, s := range tokens {
			if len(s) > size && strings.HasPrefix(text, s) {
				token, size = byte(0x80+i), len(s)
			}
		}
		packed, text = append(packed, token), text[size:]
	}
	return packed
}

func unpack(packed []byte) (text []byte) {
	for _, c := range packed {
		if i := int(c) - 0x80; i >= 0 && i < len(tokens) {
			text = append(text, tokens[i]...)
		} else {
			text = append(text, c)
		}
	}
	return text
}

// leaves as the first cut says that the servers are about to leave.
const leaves = 255

// split cuts a text into pieces: each cut is the length of the next one, which counts
// hundreds from 200 on. The rest is one piece.
func split(text, cuts []byte) (pieces [][]byte, leaving bool) {
	const most = 100
	if leaving = len(cuts) > 0 && cuts[0] == leaves; leaving {
		cuts = cuts[1:]
	}
	for _, c := range cuts[:min(len(cuts), most)] {
		n := int(c)
		if n > 200 {
			n = (n - 200) * 100
		}
		n = min(n, len(text))
		pieces, text = append(pieces, text[:n]), text[n:]
	}
	return append(pieces, text), leaving
}

// Where the two may differ, and why. Everything else is the same to the byte.
var (
	// Documents of how this server does, with the time and other figures of the
	// moment. What may differ is their figures, and their size; no status.
	unsteady = regexp.MustCompile(`/metrics|/v1/(region|workers|status)`)
	figures  = regexp.MustCompile(`HTTP/1\.[01]"? [0-9]{3}|[0-9][0-9.eE+-]*`)
	// Listings tell to the millisecond how long each key has to live. That figure may
	// differ, and the size of the listing.
	life  = regexp.MustCompile(`"ttl":[0-9.]+`)
	sizes = regexp.MustCompile(`(Content-Length: |" 200 )[0-9]+`)
)

func maskLives(text string) string {
	return sizes.ReplaceAllString(life.ReplaceAllString(text, `"ttl":n`), "${1}n")
}

func maskFigures(text string) string {
	return figures.ReplaceAllStringFunc(text, func(figure string) string {
		if figure[0] == 'H' {
			return figure
		}
		return "n"
	})
}

// admissible says whether a difference is one of those that have to be.
func (p *twins) admissible(text []byte, lane, plain outcome) bool {
	if unsteady.Match(text) {
		for _, o := range []*outcome{&lane, &plain} {
			o.mask()
			o.response, o.lines = maskFigures(o.response), maskFigures(o.lines)
		}
		if lane.differences(plain) == "" {
			return true
		}
	}
	if life.MatchString(lane.response) && life.MatchString(plain.response) {
		for _, o := range []*outcome{&lane, &plain} {
			o.response, o.lines = maskLives(o.response), maskLives(o.lines)
		}
		if lane.differences(plain) == "" {
			return true
		}
	}
	// A key that has ended meanwhile is seen by one server and not by the other.
	lanes, plains := p.lane.ends(text), p.plain.ends(text)
	return lanes || plains
}

// ends says whether a key has ended, or was about to. The text must be able to give one
// a time to live. What has ended since the last question may be an earlier connection's:
// that it is asked at all is rare.
func (w *twin) ends(text []byte) bool {
	if !bytes.Contains(bytes.ToLower(text), []byte("tl")) && !bytes.Contains(text, []byte("%")) && !bytes.Contains(text, []byte(`\u`)) {
		return false
	}
	before := w.expiries
	w.commands.Sweep(time.Second)
	w.expiries = w.commands.Region().Expiries
	return w.fading || w.expiries != before
}

var fuzzSeeds = []struct {
	text string
	cuts []byte
}{
	{"POST /v1/keys/new/increment?ttl=2h HTTP/1.1\r\nHost: a\r\n\r\nGET /v1/keys HTTP/1.1\r\nHost: a\r\n\r\n", []byte{50}},
	{"GET /increment HTTP/1.1\r\nHost: a\r\n\r\n", nil},
	{"GET /increment HTTP/1.1\r\nHost: a\r\n\r\n", bytes.Repeat([]byte{1}, 60)},
	{"GET /increment HTTP/1.1\r\nHost: a\r\n\r\nGET /count HTTP/1.1\r\nHost: a\r\n\r\nPUT /v1/keys/new HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n7GET /v1/keys/new HTTP/1.1\r\nHost: a\r\n\r\n", []byte{50}},
	{"GET /increment HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /increment HTTP/1.1\r\nHost: a\r\n\r\n", []byte{90}},
	{"GET /increment HTTP/1.1\r\nHost: a\r\n\r\nGET /incr", []byte{40}},
	{strings.Repeat("GET /increment HTTP/1.1\r\nHost: a\r\n\r\n", 3), []byte{leaves, 40}},
	{"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\nG", []byte{leaves}},
	{"PUT /v1/keys/new HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n7GET /increment HTTP/1.1\r\nHost: a\r\n\r\n", []byte{leaves}},
	{"GET /increment HTTP/1.0\r\nHost: a\r\n\r\n", nil},
	{"GET /increment HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /increment HTTP/1.1\r\nHost: a\r\n\r\n", nil},
	{"HEAD /increment HTTP/1.1\r\nHost: a\r\n\r\nGET /count HTTP/1.1\r\nHost: a\r\n\r\n", nil},
	{"OPTIONS /increment HTTP/1.1\r\nHost: a\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", nil},
	{"GET http://a/increment HTTP/1.1\r\nHost: a\r\n\r\nGET http://a?by=1 HTTP/1.1\r\nHost: b\r\n\r\n", nil},
	{"PUT /v1/keys/new HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n17", []byte{75}},
	{"GET /increment HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n", nil},
	{"GET /increment HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", nil},
	{"GET /increment HTTP/1.1\r\nHost: a\r\nx-field: " + strings.Repeat("x", 5000) + "\r\n\r\nGET /count HTTP/1.1\r\nHost: a\r\n\r\n", []byte{210}},
	{"GET /increment HTTP/1.1\r\nHost: a\r\nx-field: " + strings.Repeat("x", 9000) + "\r\n\r\n", []byte{210}},
	{"GET /" + strings.Repeat("y", 9000), []byte{240}},
	{"POST /increment HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nPOST /increment HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", nil},
	{"POST /v1/keys/hits/increment?by=2&init=5&ttl=1h HTTP/1.1\r\nHost: a\r\n\r\nGET /v1/keys/hits HTTP/1.1\r\nHost: a\r\n\r\n", nil},
	{"POST /v1/keys/new/increment?ttl=1h HTTP/1.1\r\nHost: a\r\n\r\nGET /v1/keys/new HTTP/1.1\r\nHost: a\r\n\r\n", nil},
	{"PUT /args HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{\"a\":1}\r\n0\r\n\r\nGET /increment HTTP/1.1\r\nHost: a\r\n\r\n", []byte{80}},
	{"PUT /args HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", nil},
	{"GET /v1/keys/long HTTP/1.1\r\nHost: a\r\n\r\nGET /v1/keys/object HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\nDELETE /v1/keys/object HTTP/1.1\r\nHost: a\r\n\r\nGET /v1/keys/object HTTP/1.1\r\nHost: a\r\n\r\n", nil},
	{"POST /v1/batch HTTP/1.1\r\nHost: a\r\nContent-Length: 33\r\n\r\n[{\"op\":\"increment\",\"key\":\"hits\"}]GET /count?key=hits HTTP/1.1\r\nHost: a\r\n\r\n", nil},
	{"\r\n\r\nGET /increment HTTP/1.1\r\nHost: a\r\n\r\n", []byte{1, 1, 1}},
	{"GET /increment HTTP/1.1\nHost: a\n\nGET /count HTTP/1.1\r\nHost: a\r\n\r\n", nil},
	{"GET /increment HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", nil},
	{"GET /increment HTTP/1.1\r\n\r\n", nil},
	{"GET /increment HTTP/1.1\r\nHost:\r\n\r\n", nil},
	{"GET /increment HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", nil},
	{"GET /increment HTTP/1.1\r\nHost: a\r\nConnection: close, keep-alive\r\n\r\nGET /increment HTTP/1.1\r\nHost: a\r\n\r\n", nil},
	{"GET /increment HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\nGET /increment HTTP/1.1\r\nHost: a\r\n\r\n", nil},
	{"GET /increment HTTP/1.1\r\nHost: a\r\nConnection: close\r\nConnection: keep-alive\r\n\r\nGET /increment HTTP/1.1\r\nHost: a\r\n\r\n", nil},
	{"GET /v1/keys HTTP/1.1\r\nHost: a\r\n\r\nGET /v1/keys?limit=1 HTTP/1.1\r\nHost: a\r\n\r\n", nil}, // in the order of the region
	{"GET /increment?key=most HTTP/1.1\r\nHost: a\r\n\r\nGET /increment?by=x HTTP/1.1\r\nHost: a\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: a\r\n\r\nGET /v1/keys/%zz HTTP/1.1\r\nHost: a\r\n\r\n", nil},
	{"GET /increment#x HTTP/1.1\r\nHost: a\r\n\r\n", nil},
	{"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /readyz HTTP/1.1\r\nHost: a\r\n\r\nGET /report?key=hits HTTP/1.1\r\nHost: a\r\n\r\nPOST /reset?key=hits HTTP/1.1\r\nHost: a\r\n\r\n", nil},
	{"GET /v1/region HTTP/1.1\r\nHost: a\r\n\r\nGET /metrics HTTP/1.1\r\nHost: a\r\n\r\nGET /v1/workers HTTP/1.1\r\nHost: a\r\n\r\n", nil},
	{"nonsense\r\n\r\n", []byte{3}},
	{"G", nil},
	{"", nil},
	{"\x00\xff", nil},
	{strings.Repeat("GET /increment HTTP/1.1\r\nHost: a\r\n\r\n", 40), []byte{201, 17, 202}},
	{strings.Repeat("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 10), nil},
}

// FuzzLaneAgainstFasthttp: whatever arrives on a connection, and in whatever pieces,
// a server with the fast lane answers it as one without, to the byte, with the same
// effects, the same counts and the same lines of the access log.
func FuzzLaneAgainstFasthttp(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(pack(s.text), s.cuts)
	}
	// The loop waits on a processor of its own for a while (loop.Run).
	procs := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(max(4, procs))
	f.Cleanup(func() { runtime.GOMAXPROCS(procs) })
	p := newTwins(f)
	f.Fuzz(func(t *testing.T, packed, cuts []byte) {
		text := unpack(packed)
		if len(text) > 32<<10 {
			t.Skip("long")
		}
		pieces, leaving := split(text, cuts)
		lane, plain := p.serve(t, pieces, leaving)
		if d := lane.differences(plain); d != "" && !p.admissible(text, lane, plain) {
			t.Errorf("%q, leaving %v:\n%s", pieces, leaving, d)
		}
	})
}
