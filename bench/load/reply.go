package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// bufferSize holds the head of a reply and most bodies; longer ones pass through it.
const bufferSize = 8 << 10

// reply is what matters of one.
type reply struct {
	status int
	close  bool // the server ends the connection after it
}

func (r reply) good() bool { return r.status >= 200 && r.status < 300 }

// replies reads one connection's answers, one after the other. It checks what it
// needs to know where one ends, and allocates only for an error.
type replies struct {
	from       io.Reader
	buffer     []byte
	start, end int // what is read and not yet used
}

// reset goes on with another connection.
func (r *replies) reset(from io.Reader) { r.from, r.start, r.end = from, 0, 0 }

// waiting says that part of another reply, at least, is there.
func (r *replies) waiting() bool { return r.start < r.end }

var (
	errLongLine  = fmt.Errorf("the reply has a line of more than %d bytes", bufferSize)
	errLine      = errors.New("the reply has a line that does not end in CR LF")
	errStatus    = errors.New("not an HTTP/1 reply")
	errHeader    = errors.New("the reply has a header without a name")
	errLength    = errors.New("the reply's Content-Length is no number")
	errTwice     = errors.New("the reply's length is given twice")
	errNoLength  = errors.New("the reply has no Content-Length; the end of the connection would be its end")
	errCoding    = errors.New("the reply has a Transfer-Encoding other than chunked")
	errChunk     = errors.New("the reply has a chunk whose size is no number or too large")
	errChunkEnd  = errors.New("the reply has a chunk longer than its size")
	errSwitching = errors.New("the reply changes the protocol")
)

// next reads one reply to its end.
func (r *replies) next() (reply, error) {
	for {
		h, err := r.head()
		if err != nil {
			return reply{}, err
		}
		if h.status == 101 {
			return reply{}, errSwitching
		}
		if h.status < 200 {
			continue // an interim reply, before the one to the same request
		}
		answer := reply{h.status, h.close}
		switch {
		case h.status == 204 || h.status == 304:
			return answer, nil
		case h.chunked && h.length >= 0:
			return answer, errTwice
		case h.chunked:
			return answer, r.chunks()
		case h.length < 0:
			return answer, errNoLength
		}
		return answer, r.skip(h.length)
	}
}

// head is a status line with its headers.
type head struct {
	status  int
	length  int64 // -1: none
	chunked bool
	close   bool
}

var (
	nameLength     = []byte("Content-Length")
	nameCoding     = []byte("Transfer-Encoding")
	nameConnection = []byte("Connection")
	wordChunked    = []byte("chunked")
	wordClose      = []byte("close")
	wordKeep       = []byte("keep-alive")
)

func (r *replies) head() (head, error) {
	line, err := r.line()
	if err != nil {
		return head{}, err
	}
	h, err := statusLine(line)
	for err == nil {
		if line, err = r.line(); err != nil {
			break
		}
		if len(line) == 0 {
			return h, nil
		}
		err = h.field(line)
	}
	return head{}, err
}

// statusLine reads HTTP/1.x, a space, three digits, a space and whatever.
func statusLine(line []byte) (head, error) {
	const before = len("HTTP/1.1 ")
	if len(line) < before+3 || string(line[:7]) != "HTTP/1." || line[8] != ' ' {
		return head{}, errStatus
	}
	if minor := line[7]; minor != '0' && minor != '1' {
		return head{}, errStatus
	}
	h := head{length: -1, close: line[7] == '0'}
	for _, digit := range line[before : before+3] {
		if digit < '0' || digit > '9' {
			return head{}, errStatus
		}
		h.status = h.status*10 + int(digit-'0')
	}
	if h.status < 100 || len(line) > before+3 && line[before+3] != ' ' {
		return head{}, errStatus
	}
	return h, nil
}

func (h *head) field(line []byte) error {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 || bytes.ContainsAny(line[:colon], " \t") {
		return errHeader
	}
	name, text := line[:colon], bytes.Trim(line[colon+1:], " \t")
	switch {
	case bytes.EqualFold(name, nameLength):
		if h.length >= 0 {
			return errTwice
		}
		n, ok := number(text, 10)
		if !ok {
			return errLength
		}
		h.length = n
	case bytes.EqualFold(name, nameCoding):
		if h.chunked {
			return errTwice
		}
		if !bytes.EqualFold(text, wordChunked) {
			return errCoding
		}
		h.chunked = true
	case bytes.EqualFold(name, nameConnection):
		switch {
		case bytes.EqualFold(text, wordClose):
			h.close = true
		case bytes.EqualFold(text, wordKeep):
			h.close = false
		}
	}
	return nil
}

// number reads digits of a base up to 16, and nothing besides.
func number(text []byte, base int64) (int64, bool) {
	const most = 1 << 40 // bytes: beyond what any server here would send
	if len(text) == 0 {
		return 0, false
	}
	var n int64
	for _, c := range text {
		var digit int64
		switch {
		case c >= '0' && c <= '9':
			digit = int64(c - '0')
		case c >= 'a' && c <= 'f':
			digit = int64(c-'a') + 10
		case c >= 'A' && c <= 'F':
			digit = int64(c-'A') + 10
		default:
			return 0, false
		}
		if n = n*base + digit; digit >= base || n > most {
			return 0, false
		}
	}
	return n, true
}

// chunks passes over a chunked body and its trailers.
func (r *replies) chunks() error {
	for {
		line, err := r.line()
		if err != nil {
			return err
		}
		text, _, _ := bytes.Cut(line, semicolon)
		size, ok := number(bytes.TrimRight(text, " \t"), 16)
		if !ok {
			return errChunk
		}
		if size == 0 {
			break
		}
		if err := r.skip(size); err != nil {
			return err
		}
		if line, err = r.line(); err != nil {
			return err
		}
		if len(line) != 0 {
			return errChunkEnd
		}
	}
	for {
		line, err := r.line()
		if err != nil || len(line) == 0 {
			return err
		}
	}
}

var semicolon = []byte(";")

// line returns what is before the next CR LF. It holds until the next call.
func (r *replies) line() ([]byte, error) {
	searched := 0
	for {
		if at := bytes.IndexByte(r.buffer[r.start+searched:r.end], '\n'); at >= 0 {
			line := r.buffer[r.start : r.start+searched+at]
			r.start += len(line) + 1
			if len(line) == 0 || line[len(line)-1] != '\r' {
				return nil, errLine
			}
			return line[:len(line)-1], nil
		}
		searched = r.end - r.start
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// skip passes over n bytes.
func (r *replies) skip(n int64) error {
	for {
		have := min(n, int64(r.end-r.start))
		r.start += int(have)
		if n -= have; n == 0 {
			return nil
		}
		if err := r.fill(); err != nil {
			return err
		}
	}
}

// fill reads more behind what is there. The end of the connection is an error
// here: a reply was awaited.
func (r *replies) fill() error {
	if r.start > 0 {
		copy(r.buffer, r.buffer[r.start:r.end])
		r.start, r.end = 0, r.end-r.start
	}
	if r.end == len(r.buffer) {
		return errLongLine
	}
	n, err := r.from.Read(r.buffer[r.end:])
	r.end += n
	if n > 0 {
		return nil // an error, if there is one, comes again
	}
	if err == nil {
		return io.ErrNoProgress
	}
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
