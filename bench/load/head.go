package load

import (
	"bytes"
	"errors"
)

var (
	errStatus = errors.New("not an HTTP/1 reply")
	errHeader = errors.New("the reply has a header without a name")
	errLength = errors.New("the reply's Content-Length is no number")
	errTwice  = errors.New("the reply's length is given twice")
	errCoding = errors.New("the reply has a Transfer-Encoding other than chunked")
)

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
