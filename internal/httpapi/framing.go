package httpapi

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

// field is a set of header fields that a request has, as bits.
type field uint8

const (
	fieldLength field = 1 << iota
	fieldCoding
	// fieldClose is Connection with the option close.
	fieldClose
	fieldMatch
	fieldNone
	fieldUnmodified
)

// Header fields that decide where a request ends and what becomes of the
// connection. A proxy in front may read them otherwise than fasthttp does, so
// that what is not plain is refused, and the connection closed after it.
var (
	errVersion = &problem{
		status: fasthttp.StatusHTTPVersionNotSupported,
		detail: "only HTTP/1.1 and HTTP/1.0 are spoken here; send HTTP/1.1 in the request line",
	}
	errFolded = &problem{
		status: fasthttp.StatusBadRequest,
		detail: "a header field goes on over a second line; write each field on a line of its own",
	}
	errCoding = &problem{
		status: fasthttp.StatusBadRequest,
		detail: "Transfer-Encoding may only be chunked, once, and in HTTP/1.1; send chunked or a Content-Length",
	}
	errTwoLengths = &problem{
		status: fasthttp.StatusBadRequest,
		detail: "Content-Length and Transfer-Encoding contradict each other; send one of them",
	}
	errExpect = &problem{
		status: fasthttp.StatusExpectationFailed,
		detail: "only Expect: 100-continue can be met; send the request without Expect",
	}
)

// frame checks the framing of the request and fills r.fields. It reads the
// header as it was sent: fasthttp keeps neither a Transfer-Encoding of identity
// nor a Content-Length that a chunked body overrides.
func (r *request) frame() error {
	header := &r.ctx.Request.Header
	if version := header.Protocol(); len(version) > 5 && version[5] != '1' { // "HTTP/1.1"
		return errVersion
	}
	for rest := header.RawHeaders(); len(rest) > 0; {
		line := rest
		if end := bytes.IndexByte(rest, '\n'); end >= 0 {
			line, rest = rest[:end], rest[end+1:]
		} else {
			rest = nil
		}
		if len(line) == 0 {
			continue
		}
		switch line[0] {
		case 'C', 'E', 'I', 'T', 'c', 'e', 'i', 't':
			if err := r.readField(line); err != nil {
				return err
			}
		case ' ', '\t':
			return errFolded
		}
	}
	if r.fields&(fieldLength|fieldCoding) == fieldLength|fieldCoding {
		return errTwoLengths
	}
	return nil
}

// readField looks at one line of the header. fasthttp has refused what is
// there twice of Content-Length and Transfer-Encoding.
func (r *request) readField(line []byte) error {
	name, value, _ := bytes.Cut(line, colon)
	switch len(name) { // tells most of them apart
	case len(fasthttp.HeaderExpect):
		if bytes.EqualFold(name, nameExpect) && !bytes.EqualFold(trim(value), continue100) {
			return errExpect
		}
	case len(fasthttp.HeaderConnection):
		if bytes.EqualFold(name, nameConnection) && hasOption(value, optionClose) {
			r.fields |= fieldClose
		}
	case len(fasthttp.HeaderContentLength):
		if bytes.EqualFold(name, nameContentLength) {
			r.fields |= fieldLength
		}
	case len(fasthttp.HeaderTransferEncoding):
		if bytes.EqualFold(name, nameTransferEncoding) {
			r.fields |= fieldCoding
			if !bytes.EqualFold(trim(value), chunked) {
				return errCoding
			}
		}
	case len(fasthttp.HeaderIfMatch), len(fasthttp.HeaderIfNoneMatch), len(fasthttp.HeaderIfUnmodifiedSince):
		switch {
		case bytes.EqualFold(name, nameIfMatch):
			r.fields |= fieldMatch
		case bytes.EqualFold(name, nameIfNoneMatch):
			r.fields |= fieldNone
		case bytes.EqualFold(name, nameIfUnmodifiedSince):
			r.fields |= fieldUnmodified
		}
	}
	return nil
}

// hasOption reports whether a comma-separated list has an option, in any case.
func hasOption(list, option []byte) bool {
	for more := true; more; {
		var item []byte
		item, list, more = bytes.Cut(list, comma)
		if bytes.EqualFold(trim(item), option) {
			return true
		}
	}
	return false
}

func trim(value []byte) []byte { return bytes.Trim(value, " \t\r") }

var (
	colon, comma = []byte(":"), []byte(",")

	nameExpect            = []byte(fasthttp.HeaderExpect)
	nameConnection        = []byte(fasthttp.HeaderConnection)
	nameContentLength     = []byte(fasthttp.HeaderContentLength)
	nameTransferEncoding  = []byte(fasthttp.HeaderTransferEncoding)
	nameIfMatch           = []byte(fasthttp.HeaderIfMatch)
	nameIfNoneMatch       = []byte(fasthttp.HeaderIfNoneMatch)
	nameIfUnmodifiedSince = []byte(fasthttp.HeaderIfUnmodifiedSince)

	chunked     = []byte("chunked")
	optionClose = []byte("close")
	continue100 = []byte("100-continue")
)
