package worker

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/httpapi"
	"github.com/fondue-server/fondue/internal/metrics"
	"github.com/fondue-server/fondue/internal/shm"
)

// Time limits of a connection. A comparison with another server must set it
// to the same.
const (
	readTimeout  = 30 * time.Second // of one request, from its first byte
	writeTimeout = 30 * time.Second // of one reply
	idleTimeout  = 75 * time.Second // between requests
)

// server serves HTTP on the worker's listeners.
type server struct {
	commands *command.Commands
	api      *httpapi.API
	store    *shm.Store
	access   *accessLog // nil: off
	log      *slog.Logger
	heart    *heartbeat
	conns    *conns
	doors    []*door
	lane     *lane       // nil: off
	accepts  []*listener // of fasthttp, where there is no lane
	draining atomic.Bool
	faults   struct{ region, other throttle }

	http    fasthttp.Server
	serving sync.WaitGroup // accept loops
	// moving is held from the look at draining until a connection that comes from another
	// worker's queue, or goes back to the lane, is where a drain finds it.
	moving sync.Mutex
	failed chan error    // an accept loop has ended by itself
	stop   chan struct{} // ends the sweep
}

func newServer(commands *command.Commands, store *shm.Store, access *accessLog, log *slog.Logger) *server {
	s := &server{
		commands: commands, store: store,
		access: access, log: log, heart: newHeartbeat(store), conns: newConns(store),
		failed: make(chan error, 1), stop: make(chan struct{}),
	}
	s.api = httpapi.New(commands, s.fault)
	s.http = fasthttp.Server{
		Name:                         httpapi.ServerName,
		Handler:                      s.handle,
		ErrorHandler:                 s.handleError,
		ExpectHandler:                s.expect,
		ConnState:                    stateChanged,
		Logger:                       debugLog{log},
		ReadTimeout:                  readTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
		ReadBufferSize:               httpapi.MaxHeader,
		MaxRequestBodySize:           httpapi.MaxBody(commands.MaxValue()),
		NoDefaultContentType:         true,
		DisablePreParseMultipartForm: true,
		SecureErrorLogMessage:        true,
	}
	return s
}

// inherit takes over a listening socket from the master. With a fast lane its
// connections come by the loop.
func (s *server) inherit(l handoff.Listener) error {
	if s.lane != nil {
		b, err := inheritBare(l, s.conns)
		if err == nil {
			s.doors, s.lane.listeners = append(s.doors, &b.door), append(s.lane.listeners, b)
		}
		return err
	}
	in, err := inherit(l, s.conns, s.log)
	if err == nil {
		s.doors, s.accepts = append(s.doors, &in.door), append(s.accepts, in)
	}
	return err
}

// start begins to accept.
func (s *server) start() {
	go s.conns.sweep(s.stop) // ends with drain
	if s.lane != nil {
		s.lane.run()
		return
	}
	for _, l := range s.accepts {
		s.serving.Add(1)
		go func() { // ends when the listener is closed
			defer s.serving.Done()
			if err := s.http.Serve(l); err != nil {
				s.fail(&l.door, err)
			}
		}()
	}
}

// fail ends the worker: a socket cannot be accepted from.
func (s *server) fail(d *door, err error) {
	select {
	case s.failed <- fmt.Errorf("accept on %s: %w", d.addr, err):
	default: // it ends already
	}
}

func (s *server) handle(ctx *fasthttp.RequestCtx) {
	kind := s.api.Handle(ctx)
	if c, ok := ctx.Conn().(*conn); ok && c.home.lane != nil {
		c.home.asked(httpapi.OnLane(ctx, kind))
	}
	s.finish(ctx, kind, time.Since(ctx.Time()), false)
}

// handleError answers what fasthttp could not read as a request.
func (s *server) handleError(ctx *fasthttp.RequestCtx, err error) {
	began := time.Now() // ctx has the time of the request before
	s.api.HandleError(ctx, err)
	s.finish(ctx, metrics.Other, time.Since(began), true)
}

// expect decides whether a client that waits with its body may send it.
func (s *server) expect(ctx *fasthttp.RequestCtx) int {
	began := time.Now() // ctx has the time of the request before
	status, kind := s.api.Expect(ctx)
	if status != fasthttp.StatusContinue {
		s.finish(ctx, kind, time.Since(began), false)
	}
	return status
}

// finish is called before the reply is sent. took is how long the answer has taken
// since the request was read whole, or was found to be none.
func (s *server) finish(ctx *fasthttp.RequestCtx, kind metrics.Kind, took time.Duration, unread bool) {
	status := ctx.Response.StatusCode()
	s.store.CountAnswer(int(kind), metrics.OutcomeOf(status), took)
	if status >= fasthttp.StatusBadRequest && ctx.Response.ConnectionClose() {
		// Refused, maybe before all of it was read.
		if c, ok := ctx.Conn().(*conn); ok {
			c.linger.Store(true)
		}
	}
	if s.draining.Load() {
		ctx.SetConnectionClose()
		if c, ok := ctx.Conn().(*conn); ok {
			c.linger.Store(true) // its client may have sent more, not knowing
		}
	}
	if s.access != nil {
		r := answeredBy(ctx, unread)
		s.access.request(&r)
	}
}

// fault tells whoever runs the server about an answer of 500.
func (s *server) fault(err error) {
	if errors.Is(err, shm.ErrCorrupt) {
		if s.faults.region.allow() {
			s.log.Error("the region contradicts itself, run `fondue check`", "err", err)
		}
		return
	}
	if s.faults.other.allow() {
		s.log.Error("a request failed for a reason that is not the client's", "err", err)
	}
}

// debugLog takes fasthttp's own log, which tells about clients.
type debugLog struct{ log *slog.Logger }

func (d debugLog) Printf(format string, args ...any) {
	d.log.Debug(fmt.Sprintf(format, args...))
}
