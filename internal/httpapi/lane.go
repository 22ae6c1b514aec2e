package httpapi

import (
	"bytes"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/metrics"
	"github.com/fondue-server/fondue/internal/plainhttp"
)

// Lane answers plain requests to hot routes, byte for byte as the server that calls
// Handle does. It never waits. It belongs to one goroutine.
type Lane struct {
	api     *API
	call    call
	opening opening
}

// onLane has the methods of each route that a Lane answers.
var onLane = [len(allowed)]method{
	routeIncrement:    get | post,
	routeReport:       get,
	routeReset:        get | post,
	routeCount:        get,
	routeKey:          get,
	routeKeyIncrement: post,
	routeHealth:       get,
	routeReady:        get,
}

// NewLane returns a front for plain requests.
func (a *API) NewLane() *Lane {
	return &Lane{api: a, call: call{commands: a.commands.Brief()}}
}

// Done is what a Lane has answered.
type Done struct {
	Kind   metrics.Kind
	Status int
	Size   int  // of the body, in bytes
	Close  bool // the response says that the connection ends with it
}

// Answer runs a plain request and appends its whole response to out. It is not ok
// when the request is Handle's: for its route or its method, because it would have to
// wait, to make room or to copy much, or because the server is to blame for what came
// of it. Nothing was changed, counted or appended then. With closing the response says
// that the connection ends, as it does when the client has asked for that. The
// response has the date of now.
func (l *Lane) Answer(out []byte, q *plainhttp.Request, closing bool, now time.Time) (_ []byte, done Done, ok bool) {
	c := &l.call
	path, query, _ := bytes.Cut(q.Target, question)
	c.begin(get, c.body)
	if q.Post {
		c.method = post
	}
	c.query = query
	which := c.route(path)
	if onLane[which]&c.method == 0 {
		return out, Done{}, false
	}
	if err := c.run(which); err != nil {
		p := l.api.problemOf(err)
		if p.status >= fasthttp.StatusInternalServerError {
			return out, Done{}, false
		}
		c.refuse(p)
	}
	done = Done{Kind: kindOf[which], Status: c.status, Size: len(c.body), Close: closing || q.Close}
	l.opening.date(now)
	return c.appendTo(out, &l.opening, done.Close), done, true
}

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
	if media != nil {
		out = appendField(out, "Content-Type", media)
	}
	return append(out, "Content-Length: "...)
}

func appendField[Name string | []byte](out []byte, name Name, value []byte) []byte {
	out = append(out, name...)
	out = append(out, ": "...)
	out = append(out, value...)
	return append(out, "\r\n"...)
}

// appendTo appends the answer as fasthttp sends what writeTo has written.
func (a *answer) appendTo(out []byte, o *opening, closes bool) []byte {
	if a.status == statusOK {
		out = append(out, o.ok...) // there is nothing but JSON
	} else {
		out = o.appendFor(out, a.status, a.media)
	}
	out = appendInt(out, int64(len(a.body)))
	out = append(out, "\r\n"...)
	if a.evicted > 0 {
		out = append(out, "Fondue-Evicted: "...)
		out = appendInt(out, int64(a.evicted))
		out = append(out, "\r\n"...)
	}
	if a.version != (command.Version{}) {
		out = append(out, "ETag: "...)
		out = appendTag(out, a.version)
		out = append(out, "\r\n"...)
	}
	if a.left > 0 {
		out = append(out, "Fondue-TTL: "...)
		out = command.AppendSeconds(out, a.left)
		out = append(out, "\r\n"...)
	}
	if closes {
		out = append(out, "Connection: close\r\n"...)
	}
	out = append(out, "\r\n"...)
	return append(out, a.body...)
}
