package httpapi

import (
	"bytes"
	"errors"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/metrics"
	"github.com/fondue-server/fondue/internal/plainhttp"
	"github.com/fondue-server/fondue/internal/shm"
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

// laneMethods are those of onLane, by what the routes are counted as.
var laneMethods = func() (table [shm.MaxKinds]method) {
	for which, methods := range onLane {
		if methods != 0 {
			table[kindOf[which]] |= methods
		}
	}
	return table
}()

// OnLane reports whether a request that was answered, of the kind that Handle found,
// was one for a Lane as far as its method and route go.
func OnLane(ctx *fasthttp.RequestCtx, kind metrics.Kind) bool {
	return laneMethods[kind]&methodOf(ctx.Request.Header.Method()) != 0 && len(ctx.Request.Body()) == 0
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
	Busy   bool // there is no response: a lock was held that nobody holds for long
}

// Answer runs a plain request and appends its whole response to out. It is not ok
// when the request is Handle's: for its route or its method, because it would have to
// wait, to make room or to copy much, or because the server is to blame for what came
// of it. Nothing was changed, counted or appended then. What is busy may be tried
// again. With closing the response says that the connection ends, as it does when the
// client has asked for that. The response has the date of now.
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
			return out, Done{Busy: errors.Is(err, shm.ErrBusy)}, false
		}
		c.refuse(p)
	}
	done = Done{Kind: kindOf[which], Status: c.status, Size: len(c.body), Close: closing || q.Close}
	l.opening.date(now)
	return c.appendTo(out, &l.opening, done.Close), done, true
}
