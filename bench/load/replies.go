package load

import (
	"bytes"
	"errors"
	"fmt"
)

// longestLine is that of a line of a reply, its end included.
const longestLine = 8 << 10

var (
	errLongLine  = fmt.Errorf("the reply has a line of more than %d bytes", longestLine)
	errLine      = errors.New("the reply has a line that does not end in CR LF")
	errNoLength  = errors.New("the reply has no Content-Length; the end of the connection would be its end")
	errChunk     = errors.New("the reply has a chunk whose size is no number or too large")
	errChunkEnd  = errors.New("the reply has a chunk longer than its size")
	errSwitching = errors.New("the reply changes the protocol")
)

// reply is what matters of one.
type reply struct {
	status int
	close  bool // the server ends the connection after it
}

func (r reply) good() bool { return r.status >= 200 && r.status < 300 }

// replies finds the ends of one connection's answers, one after the other, in
// whatever pieces they come. It checks what it needs to know for that, and
// allocates only for an error and for the first line that comes in two pieces.
type replies struct {
	text []byte // what was read and is not yet used; the loop's
	kept []byte // the line that is not whole, from one reading to the next
	at   place
	head head  // of the reply that is being read
	left int64 // of its body, or of the chunk
}

// place is where in a reply the text begins.
type place uint8

const (
	atStatus place = iota
	atFields
	atBody
	atChunkSize
	atChunk
	atChunkEnd
	atTrailers
	atEnd
)

// reset goes on with another connection.
func (r *replies) reset() { *r = replies{kept: r.kept[:0]} }

// waiting says that part of another reply, at least, is there.
func (r *replies) waiting() bool { return len(r.text) > 0 }

// keep saves what is not used before the loop's buffer is another's.
func (r *replies) keep() {
	r.kept = append(r.kept[:0], r.text...)
	r.text = nil
}

// next reads on, and says whether that was the end of a reply; else all of the text
// is used but for a line that is not whole.
func (r *replies) next(m *memo) (answer reply, whole bool, err error) {
	var begun []byte // of a head that begins in this text
	for err == nil && r.at != atEnd {
		switch {
		case r.at == atBody || r.at == atChunk:
			if !r.pass() {
				return reply{}, false, nil
			}
			continue
		case r.at == atStatus && m.begins(r.text):
			r.head, r.text = m.head, r.text[len(m.text):]
			err = r.headed()
			continue
		case r.at == atStatus:
			begun = r.text
		}
		line, found, failed := r.line()
		if failed != nil || !found {
			return reply{}, false, failed
		}
		if err = r.read(line); r.at > atFields && begun != nil {
			m.set(begun[:len(begun)-len(r.text)], r.head)
			begun = nil
		}
	}
	if err != nil {
		return reply{}, false, err
	}
	r.at = atStatus
	return reply{r.head.status, r.head.close}, true, nil
}

// read takes one line.
func (r *replies) read(line []byte) (err error) {
	switch r.at {
	case atStatus:
		r.head, err = statusLine(line)
		r.at = atFields
	case atFields:
		if len(line) > 0 {
			return r.head.field(line)
		}
		return r.headed()
	case atChunkSize:
		text, _, _ := bytes.Cut(line, semicolon)
		size, ok := number(bytes.TrimRight(text, " \t"), 16)
		switch {
		case !ok:
			return errChunk
		case size == 0:
			r.at = atTrailers
		default:
			r.at, r.left = atChunk, size
		}
	case atChunkEnd:
		if len(line) > 0 {
			return errChunkEnd
		}
		r.at = atChunkSize
	case atTrailers:
		if len(line) == 0 {
			r.at = atEnd
		}
	}
	return err
}

var semicolon = []byte(";")

// headed says what follows a head.
func (r *replies) headed() error {
	switch h := r.head; {
	case h.status == 101:
		return errSwitching
	case h.status < 200:
		r.at = atStatus // an interim reply, before the one to the same request
	case h.status == 204 || h.status == 304:
		r.at = atEnd
	case h.chunked && h.length >= 0:
		return errTwice
	case h.chunked:
		r.at = atChunkSize
	case h.length < 0:
		return errNoLength
	default:
		r.at, r.left = atBody, h.length
	}
	return nil
}

// pass goes over a body or a chunk, and says whether that was all of it.
func (r *replies) pass() bool {
	have := min(r.left, int64(len(r.text)))
	r.text, r.left = r.text[have:], r.left-have
	switch {
	case r.left > 0:
		return false
	case r.at == atChunk:
		r.at = atChunkEnd
	default:
		r.at = atEnd
	}
	return true
}

// line returns what is before the next CR LF, if that is there.
func (r *replies) line() (line []byte, found bool, err error) {
	end := bytes.IndexByte(r.text[:min(len(r.text), longestLine)], '\n')
	switch {
	case end < 0 && len(r.text) >= longestLine:
		return nil, false, errLongLine
	case end < 0:
		return nil, false, nil
	case end == 0 || r.text[end-1] != '\r':
		return nil, false, errLine
	}
	line, r.text = r.text[:end-1], r.text[end+1:]
	return line, true, nil
}

// memo is the last head that was read: most replies of a load have the same one,
// and the same bytes mean the same.
type memo struct {
	text []byte
	head head
}

func (m *memo) begins(text []byte) bool {
	return len(m.text) > 0 && bytes.HasPrefix(text, m.text)
}

func (m *memo) set(text []byte, h head) {
	m.text, m.head = append(m.text[:0], text...), h
}
