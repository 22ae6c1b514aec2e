package httpapi

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/shm"
)

var schemeEnd = []byte("://")

// splitTarget splits a request target, in origin form ("/path?query") or
// absolute form ("http://host/path?query"), into path and query, both
// undecoded.
func splitTarget(target []byte) (path, query []byte, err error) {
	if len(target) > 0 && target[0] != '/' {
		if i := bytes.Index(target, schemeEnd); i > 0 {
			target = target[i+len(schemeEnd):]
			if i = bytes.IndexAny(target, "/?"); i < 0 {
				i = len(target)
			}
			target = target[i:]
		}
	}
	if bytes.IndexByte(target, '#') >= 0 {
		return nil, nil, problemf(fasthttp.StatusBadRequest, "the request target has a '#'; within a key or a value it is written %%23")
	}
	path, query, _ = bytes.Cut(target, question)
	return path, query, nil
}

var question = []byte("?")

// decodeKey decodes the percent-encoding of a key. The result is raw itself
// when there is nothing to decode, and otherwise lies in c.scratch.
func (c *call) decodeKey(raw []byte, plus plusSign) ([]byte, error) {
	if bytes.IndexByte(raw, '%') < 0 && (plus == plusIsPlus || bytes.IndexByte(raw, '+') < 0) {
		return raw, nil
	}
	return decode(c.scratch[:0], raw, plus)
}

// plusSign is what a '+' stands for.
type plusSign bool

const (
	plusIsPlus  plusSign = false
	plusIsSpace plusSign = true
)

// decode appends the bytes that raw encodes to dst, within its capacity.
func decode(dst, raw []byte, plus plusSign) ([]byte, error) {
	for i := 0; i < len(raw); i++ {
		if len(dst) == cap(dst) {
			return nil, shm.ErrKeyLength
		}
		c := raw[i]
		switch {
		case c == '+' && plus == plusIsSpace:
			c = ' '
		case c == '%':
			if i+2 >= len(raw) {
				return nil, errPercent
			}
			high, low := unhex(raw[i+1]), unhex(raw[i+2])
			if high < 0 || low < 0 {
				return nil, errPercent
			}
			c = byte(high<<4 | low)
			i += 2
		}
		dst = append(dst, c)
	}
	return dst, nil
}

var errPercent = &problem{
	status: fasthttp.StatusBadRequest,
	detail: "a '%' must be followed by two hexadecimal digits; a percent sign itself is written %25",
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
