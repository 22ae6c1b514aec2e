package load

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

// read reads one reply as a connection does, and returns what is left of it all.
func read(from io.Reader) (answer reply, left int, err error) {
	return readBy(&memo{}, from)
}

func readBy(m *memo, from io.Reader) (answer reply, left int, err error) {
	var (
		r      replies
		buffer [4 * longestLine]byte
	)
	for {
		before := copy(buffer[:], r.kept)
		n, failed := from.Read(buffer[before:])
		if n == 0 && failed != nil {
			return reply{}, 0, io.ErrUnexpectedEOF
		}
		r.text = buffer[:before+n]
		answer, whole, err := r.next(m)
		if whole || err != nil {
			return answer, len(r.text), err
		}
		r.keep()
	}
}

func TestReply(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 3*longestLine)
	cases := []struct {
		name, text string
		want       reply
		err        error
	}{
		{"a length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", reply{200, false}, nil},
		{"lower case, no reason", "HTTP/1.1 201\r\ncontent-length:2 \r\n\r\nok", reply{201, false}, nil},
		{"no body by its status", "HTTP/1.1 204 No Content\r\n\r\n", reply{204, false}, nil},
		{"an error with a body", "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", reply{503, false}, nil},
		{"to be closed", "HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n", reply{200, true}, nil},
		{"old", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", reply{200, true}, nil},
		{"old and kept", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", reply{200, false}, nil},
		{"an interim reply first", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", reply{200, false}, nil},
		{"longer than the buffer", "HTTP/1.1 200 OK\r\nContent-Length: 24576\r\n\r\n" + long, reply{200, false}, nil},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n6000;x=y\r\n" + long + "\r\n0\r\nA: b\r\n\r\n", reply{200, false}, nil},
		{"no length", "HTTP/1.1 200 OK\r\n\r\n", reply{}, errNoLength},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", reply{}, errTwice},
		{"a length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", reply{}, errTwice},
		{"a length below 0", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", reply{}, errLength},
		{"a length in hexadecimal", "HTTP/1.1 200 OK\r\nContent-Length: a\r\n\r\n", reply{}, errLength},
		{"too long", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", reply{}, errLength},
		{"another coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", reply{}, errCoding},
		{"a chunk without a size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", reply{}, errChunk},
		{"a chunk with more", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", reply{}, errChunkEnd},
		{"another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n", reply{}, errStatus},
		{"no status", "HTTP/1.1 2xx OK\r\n\r\n", reply{}, errStatus},
		{"a line of its own kind", "HTTP/1.1 200 OK\n\n", reply{}, errLine},
		{"a header without a name", "HTTP/1.1 200 OK\r\n: 1\r\n\r\n", reply{}, errHeader},
		{"a long line", "HTTP/1.1 200 OK\r\nA: " + long, reply{}, errLongLine},
		{"another protocol from here", "HTTP/1.1 101 Switching\r\n\r\n", reply{}, errSwitching},
		{"nothing", "", reply{}, io.ErrUnexpectedEOF},
		{"a cut head", "HTTP/1.1 200 OK\r\nConte", reply{}, io.ErrUnexpectedEOF},
		{"a cut body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", reply{}, io.ErrUnexpectedEOF},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for how, from := range map[string]io.Reader{
				"whole":     strings.NewReader(c.text),
				"in pieces": iotest.OneByteReader(strings.NewReader(c.text)),
			} {
				got, left, err := read(from)
				if !errors.Is(err, c.err) || err == nil && (got != c.want || left > 0) {
					t.Errorf("%s: %+v, %v; want %+v, %v; something left: %v", how, got, err, c.want, c.err, left > 0)
				}
			}
		})
	}
}

// FuzzReply: what is read as a reply is one for net/http as well, of the same
// status, and ends at the same byte.
func FuzzReply(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nHTTP/1.1"))
	f.Add([]byte("HTTP/1.0 204 No Content\r\nConnection: close\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		from := bytes.NewReader(text)
		var m memo
		got, left, err := readBy(&m, from)
		if again, leftAgain, errAgain := readBy(&m, bytes.NewReader(text)); again != got || leftAgain != left || (errAgain == nil) != (err == nil) {
			t.Fatalf("%+v, %d, %v; from memory %+v, %d, %v", got, left, err, again, leftAgain, errAgain)
		}
		slow, _, slowErr := read(iotest.OneByteReader(bytes.NewReader(text)))
		if slow != got || (slowErr == nil) != (err == nil) {
			t.Fatalf("whole %+v, %v; in pieces %+v, %v", got, err, slow, slowErr)
		}
		if err != nil || bytes.HasPrefix(text, []byte("HTTP/1.1 1")) || bytes.HasPrefix(text, []byte("HTTP/1.0 1")) {
			return // net/http gives interim replies to its caller
		}
		left += from.Len()
		all := bytes.NewReader(text)
		buffered := bufio.NewReader(all)
		theirs, err := http.ReadResponse(buffered, nil)
		if err != nil {
			return // stricter than is needed to find the end
		}
		if theirs.StatusCode != got.status {
			t.Fatalf("status %d, net/http has %d", got.status, theirs.StatusCode)
		}
		if _, err := io.Copy(io.Discard, theirs.Body); err != nil {
			return
		}
		if theirsLeft := all.Len() + buffered.Buffered(); theirsLeft != left {
			t.Fatalf("%d bytes are left, of net/http's %d", left, theirsLeft)
		}
	})
}

// TestMemo: a head that was read before is known again, whole, and no other.
func TestMemo(t *testing.T) {
	t.Parallel()
	var m memo
	ok := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
	for _, c := range []struct {
		text string
		want reply
		left int
	}{
		{ok, reply{200, false}, 0},
		{ok + ok, reply{200, false}, len(ok)},
		{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", reply{200, true}, 0},
		{"HTTP/1.1 100 Continue\r\n\r\n" + ok, reply{200, false}, 0},
		{"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n{}", reply{503, false}, 0},
		{"HTTP/1.1 204 No Content\r\n\r\n" + ok, reply{204, false}, len(ok)},
		{"HTTP/1.1 204 No Content\r\n\r\n" + ok, reply{204, false}, len(ok)},
	} {
		got, left, err := readBy(&m, strings.NewReader(c.text))
		if got != c.want || left != c.left || err != nil {
			t.Errorf("%q: %+v, %d left, %v; want %+v, %d", c.text, got, left, err, c.want, c.left)
		}
	}
	if !m.begins([]byte("HTTP/1.1 204 No Content\r\n\r\nx")) || m.begins([]byte(ok)) {
		t.Errorf("it knows %q", m.text)
	}
}
