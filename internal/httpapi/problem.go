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
func (a *API) problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if partial, ok := errors.AsType[*partialError](err); ok {
		why := a.problemOf(partial.error)
		return &problem{why.status, fmt.Sprintf("%s; keys that were deleted before that: %d", why.detail, partial.deleted)}
	}
	if ttl, ok := errors.AsType[*command.TTLError](err); ok {
		return &problem{fasthttp.StatusBadRequest, ttl.Error()}
	}
	if twice, ok := errors.AsType[*command.TwiceError](err); ok {
		return &problem{
			fasthttp.StatusUnprocessableEntity,
			fmt.Sprintf("member %q of the object is there twice; give it once", twice.Name),
		}
	}
	switch {
	case errors.Is(err, shm.ErrKeyLength):
		return &problem{fasthttp.StatusBadRequest, "a key has 1 to 512 bytes, counted after percent-decoding"}
	case errors.Is(err, shm.ErrNotFound):
		return &problem{fasthttp.StatusNotFound, "no such key; PUT it or increment it first"}
	case errors.Is(err, shm.ErrCursor):
		return &problem{fasthttp.StatusBadRequest, "the cursor is none that this region gave out; leave it out to begin again"}
	case errors.Is(err, shm.ErrNotInteger):
		return &problem{
			fasthttp.StatusConflict,
			"the key holds a value that is not an integer, and it is unchanged; GET /v1/keys/{key} reads it, PUT replaces it",
		}
	case errors.Is(err, shm.ErrOverflow):
		return &problem{
			fasthttp.StatusConflict,
			"the sum does not fit a signed 64-bit integer; the value is unchanged",
		}
	case errors.Is(err, shm.ErrValueTooLarge):
		return &problem{
			fasthttp.StatusRequestEntityTooLarge,
			fmt.Sprintf("a value may have %d bytes, and nothing was changed; --max-value of the server sets the limit", a.commands.MaxValue()),
		}
	case errors.Is(err, command.ErrBatchFull):
		return &problem{fasthttp.StatusRequestEntityTooLarge, err.Error() + ", and this operation was not done; send it again in another batch"}
	case errors.Is(err, command.ErrNotJSON):
		return &problem{fasthttp.StatusUnprocessableEntity, "the body must be JSON in UTF-8, nested 10000 deep at most, and is not JSON"}
	case errors.Is(err, command.ErrNotObject):
		return &problem{fasthttp.StatusUnprocessableEntity, "the body must be a JSON object, and is another JSON value"}
	case errors.Is(err, command.ErrNoPatch):
		return &problem{fasthttp.StatusUnprocessableEntity, "send a merge patch as the body, or ?ttl= to change the time to live alone"}
	case errors.Is(err, command.ErrContended):
		return &problem{fasthttp.StatusServiceUnavailable, "others change this key all the time; it is unchanged by this request, send it again"}
	case errors.Is(err, shm.ErrLocked):
		return &problem{
			fasthttp.StatusServiceUnavailable,
			"a process that hangs holds the part of the region with this key, until it is replaced; send the request again",
		}
	case errors.Is(err, shm.ErrFull):
		return &problem{
			fasthttp.StatusInsufficientStorage,
			"the region has no room for this, and the key is as it was; delete keys, give keys a ttl, or start the server with a " +
				"larger --region-size, or with --evict clock if it may forget keys. Counters that exist go on counting",
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
	reply := answer{body: ctx.Response.SwapBody(nil)}
	reply.refuse(a.problemOfProtocol(err))
	reply.writeTo(&ctx.Response)
}

// problemOfProtocol has a sentence of our own for each error that fasthttp
// names, and one for all the others: its words are for its callers.
func (a *API) problemOfProtocol(err error) *problem {
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
		return a.bodyTooLarge()
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

func (a *API) bodyTooLarge() *problem {
	return &problem{
		fasthttp.StatusRequestEntityTooLarge,
		fmt.Sprintf("a body may have %d bytes, and a value %d; --max-value of the server sets both",
			MaxBody(a.commands.MaxValue()), a.commands.MaxValue()),
	}
}
