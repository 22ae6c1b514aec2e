// Package httpapi is the HTTP adapter over package command: it routes and
// decodes requests, calls one command for each, and writes its result or a
// problem (RFC 9457). What a command means is told in package command.
//
// Decisions that a client sees:
//
//   - Routes and keys are read from the request target as it was sent. "..",
//     "//" and "%2F" in it are never normalised.
//   - A key in a path is one segment: percent-encoded, any bytes, 1 to 512 of
//     them after decoding. A slash in a key is written %2F.
//   - In a query, "+" stands for a space, as forms encode it; in a number it
//     is a sign. A raw "#" is refused, because it would cut the key short.
//   - Unknown parameters and parameters given twice are refused, so that a
//     misspelt name never changes another counter. /healthz and /readyz ignore
//     theirs: probes are written by others.
//   - HEAD does what GET does and leaves out the body, so HEAD /increment
//     counts. OPTIONS and 405 tell the methods in Allow.
//   - Bodies are read by PUT alone; those of other methods are ignored.
//   - In a reply, bytes of a key that are not UTF-8 are shown as U+FFFD each.
//   - /report tells a missing counter (null) from 0; /count does not (0).
//   - /args is {"args":{}} until it is first set.
//   - ttl= and If-Match are refused until they are supported: ignoring them
//     would drop a condition that the client relies on.
//
// Requests to counters allocate nothing.
package httpapi

import (
	"sync"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/shm"
)

// API answers HTTP requests. It is safe for any number of goroutines.
type API struct {
	commands *command.Commands
	requests sync.Pool // of *request
}

// New returns the HTTP adapter over commands.
func New(commands *command.Commands) *API {
	return &API{
		commands: commands,
		requests: sync.Pool{New: func() any { return new(request) }},
	}
}

// request is a decoded request. It lives from route to reply, and its slices
// point into ctx or into scratch.
type request struct {
	ctx    *fasthttp.RequestCtx
	method method
	query  []byte // undecoded
	params
	scratch [shm.MaxKey]byte // holds key when it had to be decoded
}

// Handle answers one request.
func (a *API) Handle(ctx *fasthttp.RequestCtx) {
	r := a.requests.Get().(*request)
	r.ctx = ctx
	r.method = methodOf(ctx.Request.Header.Method())
	r.params = params{by: 1}
	if err := a.serve(r); err != nil {
		writeProblem(ctx, problemOf(err))
	}
	r.ctx, r.key, r.query = nil, nil, nil
	a.requests.Put(r)
}

func (a *API) serve(r *request) error {
	path, query, err := splitTarget(r.ctx.Request.Header.RequestURI())
	if err != nil {
		return err
	}
	r.query = query
	which := r.route(path)
	allow := allowed[which]
	if allow&r.method == 0 {
		return r.refuseMethod(which, path)
	}
	// Called by name, not through a table: a request that is passed to a
	// function value would be moved to the heap.
	switch which {
	case routeIncrement:
		return a.increment(r)
	case routeReport:
		return a.report(r)
	case routeReset:
		return a.reset(r)
	case routeCount:
		return a.count(r)
	case routeArgs:
		return a.args(r)
	case routeKey:
		return a.key(r)
	case routeKeyIncrement:
		return a.keyIncrement(r)
	case routeWorkers:
		return a.workers(r)
	case routeHealth:
		return a.health(r)
	default:
		return a.ready(r)
	}
}

// reply makes body the JSON body of the response; body must come from
// r.body(), which hands out the response's own buffer.
func (r *request) reply(body []byte) error {
	r.ctx.Response.SwapBody(body)
	r.ctx.Response.Header.SetContentTypeBytes(typeJSON)
	return nil
}

func (r *request) body() []byte { return r.ctx.Response.SwapBody(nil)[:0] }

var typeJSON = []byte("application/json")
