package httpapi

import (
	"time"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/command"
)

const statusOK = fasthttp.StatusOK

// answer is what a request is answered with, however it is written. Fields of the
// header that only one front has are not here.
type answer struct {
	status  int
	media   []byte          // of the body; nil where there is none, or where the front knows it
	body    []byte          // in the memory of the front
	evicted int             // keys that had to go for a change
	retry   bool            // sending the request again may help
	version command.Version // of the key, if it is told
	left    time.Duration   // of the key's time to live; 0: for ever
}

// reply makes body the JSON body; it is the answer's own, appended to.
func (a *answer) reply(body []byte) error {
	a.body, a.media = body, typeJSON
	return nil
}

// describe tells about a key.
func (a *answer) describe(item *command.Item) { a.version, a.left = item.Version, item.TTL }

// refuse makes a problem the answer. Keys that were evicted in vain are told.
func (a *answer) refuse(p *problem) {
	b := append(a.body[:0], `{"type":"about:blank","title":`...)
	b = command.AppendString(b, []byte(fasthttp.StatusMessage(p.status)))
	b = append(b, `,"status":`...)
	b = appendInt(b, int64(p.status))
	b = append(b, `,"detail":`...)
	b = command.AppendString(b, []byte(p.detail))
	*a = answer{status: p.status, media: typeProblem, body: append(b, '}'), evicted: a.evicted}
}

// writeTo makes it fasthttp's response, which has the memory of the body from here on.
func (a *answer) writeTo(response *fasthttp.Response) {
	header := &response.Header
	header.SetStatusCode(a.status)
	response.SwapBody(a.body)
	if a.media != nil {
		header.SetContentTypeBytes(a.media)
	}
	if a.version.Entry|uint64(a.left)|uint64(a.evicted) != 0 || a.retry {
		a.writeFields(header)
	}
}

func (a *answer) writeFields(header *fasthttp.ResponseHeader) {
	var text [64]byte
	if a.evicted > 0 {
		header.SetCanonical(nameEvicted, appendInt(text[:0], int64(a.evicted)))
	}
	if a.retry {
		header.SetCanonical(nameRetry, retryAfter)
	}
	if a.version != (command.Version{}) {
		header.SetCanonical(nameETag, appendTag(text[:0], a.version))
	}
	if a.left > 0 {
		header.SetCanonical(nameTTL, command.AppendSeconds(text[:0], a.left))
	}
}

// Fields that tell more about an answer, in the order in which they are written.
var (
	nameEvicted = []byte("Fondue-Evicted")
	nameRetry   = []byte(fasthttp.HeaderRetryAfter)
	nameETag    = []byte("ETag")
	nameTTL     = []byte("Fondue-TTL")

	retryAfter = []byte("1") // seconds

	typeJSON    = []byte("application/json")
	typeProblem = []byte("application/problem+json")
)
