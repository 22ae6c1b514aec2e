package httpapi

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

// jsonBody returns the body of a PUT, unless its header says that it is
// something else than JSON.
func (r *request) jsonBody() ([]byte, error) {
	header := &r.ctx.Request.Header
	if coding := header.ContentEncoding(); len(coding) > 0 && !bytes.EqualFold(coding, []byte("identity")) {
		return nil, problemf(fasthttp.StatusUnsupportedMediaType, "Content-Encoding %q is not supported; send the body as it is", coding)
	}
	media, _, _ := bytes.Cut(header.ContentType(), []byte(";"))
	media = bytes.ToLower(bytes.TrimSpace(media))
	if !passesForJSON(media) {
		return nil, problemf(fasthttp.StatusUnsupportedMediaType, "Content-Type is %q; send application/json", media)
	}
	return r.ctx.Request.Body(), nil
}

// passesForJSON takes no Content-Type for JSON, and the one that curl -d sends
// unasked: whoever types a PUT by hand means the body.
func passesForJSON(media []byte) bool {
	switch string(media) {
	case "", "application/json", "application/x-www-form-urlencoded":
		return true
	}
	return bytes.HasPrefix(media, []byte("application/")) && bytes.HasSuffix(media, []byte("+json"))
}

// errBody is about parameters that would be lost: curl -d sends them so.
var errBody = &problem{
	status: fasthttp.StatusBadRequest,
	detail: "only PUT takes a body here; send none, and put parameters into the query: ?key=visits&by=50",
}

// args answers /args.
func (a *API) args(r *request) error {
	if err := r.parseQuery(0); err != nil {
		return err
	}
	if r.method == put {
		if err := r.refuseConditions(); err != nil {
			return err
		}
		object, err := r.jsonBody()
		if err != nil {
			return err
		}
		if err := a.commands.SetArgs(object); err != nil {
			return err
		}
	}
	b, err := a.commands.Args(append(r.body(), `{"args":`...))
	if err != nil {
		return err
	}
	return r.reply(append(b, '}'))
}

// refuseConditions refuses what would make a change conditional, where no
// condition is supported.
func (r *request) refuseConditions() error {
	if r.fields&fieldCondition == 0 {
		return nil
	}
	return errCondition
}

var errCondition = &problem{
	status: fasthttp.StatusBadRequest,
	detail: "If-Match, If-None-Match and If-Unmodified-Since are not supported here; leave them out",
}
