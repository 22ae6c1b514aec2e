package httpapi

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

// takesBody reports whether the request may have a body.
func (r *request) takesBody(which route) bool {
	return r.method&(put|patch) != 0 || which == routeBatch
}

// errBody is about parameters that would be lost: curl -d sends them so.
var errBody = &problem{
	status: fasthttp.StatusBadRequest,
	detail: "only PUT, PATCH and POST /v1/batch take a body; send none, and put parameters into the query: ?key=visits&by=50",
}

// checkMedia refuses a body of which the header says that it is something else
// than accepts takes.
func (r *request) checkMedia(accepts mediaSet) error {
	header := &r.ctx.Request.Header
	if coding := header.ContentEncoding(); len(coding) > 0 && !bytes.EqualFold(coding, []byte("identity")) {
		return problemf(fasthttp.StatusUnsupportedMediaType, "Content-Encoding %q is not supported; send the body as it is", coding)
	}
	media, _, _ := bytes.Cut(header.ContentType(), []byte(";"))
	if media = trim(media); !accepts.has(media) {
		return problemf(fasthttp.StatusUnsupportedMediaType, "Content-Type is %q; send %s", media, accepts)
	}
	return nil
}

// mediaSet is what a body may be.
type mediaSet uint8

const (
	isJSON mediaSet = iota
	isMergePatch
)

func (m mediaSet) String() string {
	if m == isMergePatch {
		return string(typeMergePatch)
	}
	return string(typeJSON)
}

// has takes no Content-Type for the right one, and the one that curl -d sends
// unasked: whoever types a PUT by hand means the body. A kind of JSON is JSON;
// of patches there are others, which mean something else.
func (m mediaSet) has(media []byte) bool {
	switch {
	case len(media) == 0, bytes.EqualFold(media, typeJSON), bytes.EqualFold(media, typeForm):
		return true
	case m == isMergePatch:
		return bytes.EqualFold(media, typeMergePatch)
	}
	return len(media) > len(prefixKind)+len(suffixJSON) &&
		bytes.EqualFold(media[:len(prefixKind)], prefixKind) &&
		bytes.EqualFold(media[len(media)-len(suffixJSON):], suffixJSON)
}

var (
	typeMergePatch = []byte("application/merge-patch+json")
	typeForm       = []byte("application/x-www-form-urlencoded")
	prefixKind     = []byte("application/")
	suffixJSON     = []byte("+json")
)
