package httpapi

import (
	"time"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/command"
)

// opening is how responses begin, up to the Content-Length.
type opening struct {
	second int64  // of the date, since 1970; 0: there is none yet
	common []byte // Server and Date
	ok     []byte // all of it for JSON with status 200
}

// date puts the date in, where another one is.
func (o *opening) date(now time.Time) {
	second := now.Unix()
	if second == o.second {
		return
	}
	o.second = second
	o.common = append(o.common[:0], "Server: "+ServerName+"\r\nDate: "...)
	o.common = fasthttp.AppendHTTPDate(o.common, now)
	o.common = append(o.common, "\r\n"...)
	o.ok = o.appendFor(o.ok[:0], statusOK, typeJSON)
}

// appendFor appends the opening for a status and a media type.
func (o *opening) appendFor(out []byte, status int, media []byte) []byte {
	out = append(out, "HTTP/1.1 "...)
	out = appendInt(out, int64(status))
	out = append(out, ' ')
	out = append(out, fasthttp.StatusMessage(status)...)
	out = append(out, "\r\n"...)
	out = append(out, o.common...)
	out = append(out, "Content-Type: "...)
	out = append(out, media...)
	return append(out, "\r\nContent-Length: "...)
}

// appendTo appends the answer, which has a body, as a server sends what writeTo has
// written.
func (a *answer) appendTo(out []byte, o *opening, closes bool) []byte {
	if a.status == statusOK { // JSON, whatever the route
		out = append(out, o.ok...)
	} else {
		out = o.appendFor(out, a.status, a.media)
	}
	out = append(appendInt(out, int64(len(a.body))), "\r\n"...)
	if a.evicted > 0 {
		out = append(appendInt(appendName(out, nameEvicted), int64(a.evicted)), "\r\n"...)
	}
	if a.retry {
		out = append(append(appendName(out, nameRetry), retryAfter...), "\r\n"...)
	}
	if a.version != (command.Version{}) {
		out = append(appendTag(appendName(out, nameETag), a.version), "\r\n"...)
	}
	if a.left > 0 {
		out = append(command.AppendSeconds(appendName(out, nameTTL), a.left), "\r\n"...)
	}
	if closes {
		out = append(out, "Connection: close\r\n"...)
	}
	out = append(out, "\r\n"...)
	return append(out, a.body...)
}

func appendName(out, name []byte) []byte { return append(append(out, name...), ": "...) }
