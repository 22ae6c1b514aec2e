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
//   - HEAD does what GET does and leaves out the body, on the routes that only
//     read: /increment and /reset answer it with 405. OPTIONS and 405 tell the
//     methods in Allow.
//   - Only PUT, PATCH and POST /v1/batch take a body. One that comes with
//     another request is refused, because parameters in it would be lost;
//     /healthz and /readyz ignore it.
//   - A request whose end is not plain (Content-Length beside Transfer-Encoding,
//     any coding but chunked, a folded header field) is refused, and the
//     connection closed.
//   - Connection is a list of options in any case; close among them closes.
//   - Expect: 100-continue is answered 100 only when nothing that is known by
//     then refuses the request; the answer is that refusal otherwise.
//   - In a reply, bytes of a key that are not UTF-8 are shown as U+FFFD each. A
//     listing has such a key's bytes as key_base64 beside it.
//   - /report tells a missing counter (null) from 0; /count does not (0).
//   - /args is {"args":{}} until it is first set.
//
// And of values:
//
//   - A value is any JSON, nested 10000 deep at most, and comes back as it was
//     written, without the white space around it. An integer of 64 bits is a
//     counter; what counts refuses anything else with 409.
//   - ETag is strong, and names one state of one key for ever: each change,
//     an increment too, makes another, but for one of the time to live alone.
//   - If-Match and If-None-Match, lists of entity tags or *, count for
//     /v1/keys/{key}. A change that they refuse is 412; a read is 304 where
//     If-None-Match does, and 412 where If-Match does, also when there is no
//     key. Where they are not supported they are refused: to ignore one would
//     drop what the client relies on. So is If-Unmodified-Since for changes.
//   - ttl is numbers with units: 30s, 1500ms, 1h30m, 7d. Fondue-TTL is what is
//     left, in seconds. PUT without ttl leaves none; an increment's counts only
//     if it creates the key; PATCH keeps what there is unless it has a ttl, and
//     ttl=none takes it away.
//   - PATCH is RFC 7396, in one step: where nothing is, and over anything but an
//     object, it merges into {}. Without a body it changes the time to live
//     alone, and answers 404 where there is no key.
//   - A PATCH keeps the text of members that it does not name, in their order,
//     and appends new ones; of a member that is there twice the last counts.
//   - DELETE /v1/keys without a prefix, or with an empty one, is refused unless
//     it says all=true.
//   - A listing is in no order, and a page may have fewer keys than limit, or
//     none: the walk ends with the page that has no cursor.
//   - Operations of a batch run one after another, each of them atomic; the
//     batch is not. All are checked for form before the first is done. Those
//     that read values are refused with 413 after 16 MiB of them.
//   - A change that had to evict others says how many in Fondue-Evicted, also
//     where it was refused in the end.
//
// Requests to counters, and reads of a value, allocate nothing.
package httpapi

import (
	"errors"
	"sync"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/command"
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
	scratch [shm.MaxKey]byte // holds key, or prefix, when it had to be decoded
	text    [64]byte         // of a parameter, and later of a field of the response
	cond    command.Condition
	// What If-Match and If-None-Match name. Their memory outlives the request.
	match, none []command.Version
}

// Handle answers one request.
func (a *API) Handle(ctx *fasthttp.RequestCtx) {
	r := a.requests.Get().(*request)
	r.begin(ctx)
	if err := a.serve(r); err != nil {
		a.refuse(ctx, err)
	}
	r.end()
	a.requests.Put(r)
}

// Expect decides about a request with Expect: 100-continue from its header: it
// returns 100 when the body may come, and otherwise the status of the refusal,
// which it has written. The connection is closed after that.
func (a *API) Expect(ctx *fasthttp.RequestCtx) (status int) {
	r := a.requests.Get().(*request)
	defer a.requests.Put(r)
	r.begin(ctx)
	which, err := r.admit()
	if err == nil {
		err = r.readHead(which)
	}
	r.end()
	if err == nil && ctx.Request.Header.ContentLength() > MaxBody(a.commands.MaxValue()) {
		err = a.bodyTooLarge()
	}
	if err == nil {
		return fasthttp.StatusContinue
	}
	a.refuse(ctx, err)
	ctx.SetConnectionClose()
	return ctx.Response.StatusCode()
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
	r.method = methodOf(ctx.Request.Header.Method())
	r.params = params{by: 1}
}

// end lets go of what belongs to the context.
func (r *request) end() {
	r.ctx, r.query = nil, nil
	r.params, r.cond = params{}, command.Condition{}
}

func (a *API) refuse(ctx *fasthttp.RequestCtx, err error) {
	p := a.problemOf(err)
	if errors.Is(err, command.ErrContended) || errors.Is(err, shm.ErrLocked) {
		ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, "1")
	}
	if p.status == fasthttp.StatusInternalServerError {
		a.fault(err)
	}
	writeProblem(ctx, p)
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
	if allowed[which]&r.method == 0 {
		if err := r.refuseMethod(which, path); err != nil {
			return which, err
		}
	}
	// Negative is the length of a chunked body; what has none has 0 by now,
	// or less than -1 while the body is still to be read.
	if r.fields&(fieldLength|fieldCoding) != 0 && !r.takesBody(which) && which != routeHealth && which != routeReady {
		if n := r.ctx.Request.Header.ContentLength(); n > 0 || n == -1 {
			return which, errBody
		}
	}
	return which, nil
}

func (a *API) serve(r *request) error {
	which, err := r.admit()
	if err != nil {
		return err
	}
	if r.method == options {
		return r.options(which)
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
	case routeKeys:
		return a.keys(r)
	case routeBatch:
		return a.batch(r)
	case routeRegion:
		return a.region(r)
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
