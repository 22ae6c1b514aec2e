package httpapi

import (
	"errors"
	"fmt"
	"io"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/shm"
)

// problem is an answer of RFC 9457: the status, and what the client has to
// change.
type problem struct {
	status int
	detail string
}

func (p *problem) Error() string { return p.detail }

func problemf(status int, format string, args ...any) error {
	return &problem{status, fmt.Sprintf(format, args...)}
}

// problemOf finds the answer to an error of a command.
func problemOf(err error) *problem {
	var p *problem
	var twice *command.TwiceError
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, shm.ErrKeyLength):
		return &problem{fasthttp.StatusBadRequest, "a key has 1 to 512 bytes, counted after percent-decoding"}
	case errors.Is(err, shm.ErrNotFound):
		return &problem{fasthttp.StatusNotFound, "no such key; PUT it or increment it first"}
	case errors.Is(err, shm.ErrOverflow):
		return &problem{
			fasthttp.StatusConflict,
			"the sum does not fit a signed 64-bit integer; the value is unchanged",
		}
	case errors.Is(err, command.ErrExists):
		return &problem{
			fasthttp.StatusPreconditionFailed,
			"the key exists and is unchanged; leave out If-None-Match to replace it",
		}
	case errors.Is(err, shm.ErrArgsTooLarge):
		return &problem{
			fasthttp.StatusRequestEntityTooLarge,
			fmt.Sprintf("the arguments may have %d bytes; they are unchanged", shm.MaxArgs),
		}
	case errors.Is(err, command.ErrNotJSON):
		return &problem{fasthttp.StatusUnprocessableEntity, "the body must be a JSON object in UTF-8, and is not JSON"}
	case errors.As(err, &twice):
		return &problem{
			fasthttp.StatusUnprocessableEntity,
			fmt.Sprintf("member %q of the object is there twice; give it once", twice.Name),
		}
	case errors.Is(err, command.ErrNotObject):
		return &problem{fasthttp.StatusUnprocessableEntity, "the body must be a JSON object, and is another JSON value"}
	case errors.Is(err, shm.ErrFull):
		return &problem{
			fasthttp.StatusInsufficientStorage,
			"the region has no room for another key; delete keys, or start with a larger --region-size. " +
				"Keys that exist can still be changed",
		}
	case errors.Is(err, shm.ErrCorrupt):
		return &problem{
			fasthttp.StatusInternalServerError,
			"the region contradicts itself; run the check command on it",
		}
	}
	return &problem{fasthttp.StatusInternalServerError, err.Error()}
}

// HandleError answers a request that fasthttp could not read. The connection
// is closed after it.
func (a *API) HandleError(ctx *fasthttp.RequestCtx, err error) {
	ctx.SetConnectionClose()
	writeProblem(ctx, problemOfProtocol(err))
}

// problemOfProtocol has a sentence of our own for each error that fasthttp
// names, and one for all the others: its words are for its callers.
func problemOfProtocol(err error) *problem {
	var small *fasthttp.ErrSmallBuffer
	var chunk fasthttp.ErrBrokenChunk
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &small):
		return &problem{
			fasthttp.StatusRequestHeaderFieldsTooLarge,
			fmt.Sprintf("the request line and the header fields may have %d bytes together", MaxHeader),
		}
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return errBodyTooLarge
	case errors.As(err, &timeout) && timeout.Timeout():
		return &problem{fasthttp.StatusRequestTimeout, "the request did not arrive in time; send it again on a new connection"}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &problem{
			fasthttp.StatusBadRequest,
			"the connection ended within the request; send as many bytes as its header or its chunks announce",
		}
	case errors.Is(err, fasthttp.ErrUnsupportedTransferEncoding):
		return errCoding
	case errors.Is(err, fasthttp.ErrDuplicateContentLength), errors.Is(err, fasthttp.ErrNonNumericChars):
		return &problem{fasthttp.StatusBadRequest, "Content-Length must be there once at most, in decimal digits"}
	case errors.As(err, &chunk):
		return &problem{
			fasthttp.StatusBadRequest,
			"the chunked body is broken; a chunk is its size in hexadecimal, CRLF, that many bytes, CRLF, and the last has size 0",
		}
	case errors.Is(err, fasthttp.ErrMissingRequestMethod), errors.Is(err, fasthttp.ErrUnsupportedRequestMethod),
		errors.Is(err, fasthttp.ErrEmptyRequestURI):
		return &problem{fasthttp.StatusBadRequest, "the request line must be a method, a space, a target, a space and HTTP/1.1"}
	case errors.Is(err, fasthttp.ErrorInvalidURI):
		return &problem{
			fasthttp.StatusBadRequest,
			"the request target or Host is not valid; a target begins with a slash, and other bytes in it are percent-encoded",
		}
	}
	return &problem{
		fasthttp.StatusBadRequest,
		"the request is not HTTP/1.1 as RFC 9112 has it; send a request line that ends in HTTP/1.1, one Host, " +
			"a Content-Length in digits or chunks with their size in hexadecimal, and every field as name: value without control characters",
	}
}

var errBodyTooLarge = &problem{fasthttp.StatusRequestEntityTooLarge, fmt.Sprintf("a body may have %d bytes", MaxBody)}

// Limits of a request, in bytes. The server that calls Handle must be set to
// them.
const (
	MaxHeader = 8 << 10
	MaxBody   = 1 << 20
)

var typeProblem = []byte("application/problem+json")

func writeProblem(ctx *fasthttp.RequestCtx, p *problem) {
	ctx.Response.SetStatusCode(p.status)
	ctx.Response.Header.SetContentTypeBytes(typeProblem)
	b := ctx.Response.SwapBody(nil)[:0]
	b = append(b, `{"type":"about:blank","title":`...)
	b = appendString(b, []byte(fasthttp.StatusMessage(p.status)))
	b = append(b, `,"status":`...)
	b = appendInt(b, int64(p.status))
	b = append(b, `,"detail":`...)
	b = appendString(b, []byte(p.detail))
	ctx.Response.SwapBody(append(b, '}'))
}
