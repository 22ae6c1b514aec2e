// Package httpapi is the HTTP adapter over package command: it routes and
// decodes requests, calls one command for each, and writes its result or a
// problem (RFC 9457). What a command means is told in package command, what a
// client sees in docs/http.md.
//
// It has two fronts. API.Handle answers any request that fasthttp has read. A Lane
// answers plain requests (package plainhttp) to hot routes, never waits, and leaves
// the rest to Handle. What both have is a call; its answer is the same bytes.
//
// Requests to counters, and reads of a value, allocate nothing.
package httpapi

import (
	"errors"
	"sync"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/asset"
	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/metrics"
	"github.com/fondue-server/fondue/internal/shm"
)

// API answers HTTP requests. It is safe for any number of goroutines.
type API struct {
	commands *command.Commands
	fault    func(error)
	requests sync.Pool // of *request
}

// New returns the HTTP adapter over commands. It calls fault, from the
// goroutine of the request, with each error that is answered with 500: one that
// no client can mend.
func New(commands *command.Commands, fault func(error)) *API {
	return &API{
		commands: commands,
		fault:    fault,
		requests: sync.Pool{New: func() any { return &request{call: call{commands: commands}} }},
	}
}

// request is a decoded request that fasthttp has read. It lives from route to reply,
// and its slices point into ctx or into scratch.
type request struct {
	ctx *fasthttp.RequestCtx
	call
	file *asset.File // that the path names
	raw  []byte      // the body of the response instead of the answer's, not copied
	// What If-Match and If-None-Match name. Their memory outlives the request.
	match, none []command.Version
}

// Handle answers one request, and says what it was about.
func (a *API) Handle(ctx *fasthttp.RequestCtx) metrics.Kind {
	r := a.requests.Get().(*request)
	r.begin(ctx)
	which, err := a.serve(r)
	if err != nil {
		a.refuse(r, err)
	}
	r.end()
	a.requests.Put(r)
	return kindOf[which]
}

// Expect decides about a request with Expect: 100-continue from its header: it
// returns 100 when the body may come, and otherwise the status of the refusal,
// which it has written. The connection is closed after that.
func (a *API) Expect(ctx *fasthttp.RequestCtx) (status int, kind metrics.Kind) {
	r := a.requests.Get().(*request)
	defer a.requests.Put(r)
	r.begin(ctx)
	which, err := r.admit()
	if err == nil {
		err = r.readHead(which)
	}
	if err == nil && ctx.Request.Header.ContentLength() > MaxBody(a.commands.MaxValue()) {
		err = a.bodyTooLarge()
	}
	status = fasthttp.StatusContinue
	if err != nil {
		a.refuse(r, err)
		ctx.SetConnectionClose()
		status = r.status
	}
	r.end()
	return status, kindOf[which]
}

// readHead reads all that comes before the body of a request that may have one.
// Requests that may not have none to wait for.
func (r *request) readHead(which route) error {
	switch {
	case r.method == put && which == routeKey:
		return r.readPut()
	case r.method == patch && which == routeKey:
		return r.readPatch()
	case r.method == put && which == routeArgs:
		return r.readSetArgs()
	case r.method == post && which == routeBatch:
		return r.readBatch()
	}
	return nil
}

func (r *request) begin(ctx *fasthttp.RequestCtx) {
	r.ctx = ctx
	r.call.begin(methodOf(ctx.Request.Header.Method()), ctx.Response.SwapBody(nil))
}

// end writes the answer, and lets go of what belongs to the context.
func (r *request) end() {
	r.writeTo(&r.ctx.Response)
	if r.raw != nil {
		r.ctx.Response.SetBodyRaw(r.raw)
	}
	r.ctx, r.query, r.key, r.prefix, r.body, r.file, r.raw = nil, nil, nil, nil, nil, nil, nil
	r.cond = command.Condition{}
}

// refuse makes a problem the answer, and counts what it is about.
func (a *API) refuse(r *request, err error) {
	p := a.problemOf(err)
	if p.status == fasthttp.StatusInsufficientStorage {
		a.commands.CountFull()
	}
	if p.status == fasthttp.StatusInternalServerError {
		a.fault(err)
	}
	r.answer.refuse(p)
	r.retry = errors.Is(err, command.ErrContended) || errors.Is(err, shm.ErrLocked)
}

// admit finds the route of a request, and refuses what its header alone tells
// to be wrong.
func (r *request) admit() (route, error) {
	if err := r.frame(); err != nil {
		r.ctx.SetConnectionClose() // where the next request begins is not known
		return routeNone, err
	}
	if r.fields&fieldClose != 0 {
		r.ctx.SetConnectionClose()
	}
	path, query, err := splitTarget(r.ctx.Request.Header.RequestURI())
	if err != nil {
		return routeNone, err
	}
	r.query = query
	which := r.route(path)
	if which == routeNone {
		which = r.routeFile(path)
	}
	if allowed[which]&r.method == 0 {
		if err := r.refuseMethod(which, path); err != nil {
			return which, err
		}
	}
	// Negative is the length of a chunked body; what has none has 0 by now,
	// or less than -1 while the body is still to be read.
	if r.fields&(fieldLength|fieldCoding) != 0 && !r.takesBody(which) && !isProbe(which) {
		if n := r.ctx.Request.Header.ContentLength(); n > 0 || n == -1 {
			return which, errBody
		}
	}
	return which, nil
}

func (a *API) serve(r *request) (route, error) {
	which, err := r.admit()
	switch {
	case err != nil:
		return which, err
	case r.method == options:
		return which, r.options(which)
	}
	return which, a.run(r, which)
}

func (a *API) run(r *request, which route) error {
	// Called by name, not through a table: a request that is passed to a
	// function value would be moved to the heap.
	switch which {
	case routeIncrement, routeReport, routeReset, routeCount, routeKeyIncrement, routeHealth, routeReady:
		return r.call.run(which)
	case routeArgs:
		return a.args(r)
	case routeKey:
		return a.key(r)
	case routeKeys:
		return a.keys(r)
	case routeBatch:
		return a.batch(r)
	case routeRegion:
		return a.region(r)
	case routeWorkers:
		return a.workers(r)
	case routeStatus:
		return a.status(r)
	case routeMetrics:
		return a.metrics(r)
	default:
		return r.replyFile()
	}
}
