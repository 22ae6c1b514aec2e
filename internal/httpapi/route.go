package httpapi

import (
	"bytes"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/apidoc"
	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/dashboard"
	"github.com/fondue-server/fondue/internal/metrics"
)

// method is a set of HTTP methods, as bits.
type method uint8

const (
	get method = 1 << iota
	head
	post
	put
	patch
	del
	options
	// otherMethod is any method that no route has.
	otherMethod
)

var methodNames = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

func methodOf(name []byte) method {
	switch string(name) {
	case "GET":
		return get
	case "POST":
		return post
	case "PUT":
		return put
	case "PATCH":
		return patch
	case "DELETE":
		return del
	case "HEAD":
		return head
	case "OPTIONS":
		return options
	}
	return otherMethod
}

// String lists the methods as the Allow header does.
func (m method) String() string {
	var names []string
	for i, name := range methodNames {
		if m&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

type route uint8

const (
	routeNone route = iota
	routeIncrement
	routeReport
	routeReset
	routeCount
	routeArgs
	routeKey
	routeKeyIncrement
	routeKeys
	routeBatch
	routeRegion
	routeWorkers
	routeStatus
	routeMetrics
	routeHealth
	routeReady
	routeDocument
	routePage
	routePageFile
	routeBoard
	routeBoardFile
)

// paths has the path of each route, with what varies in braces. Those without
// are found by the switches in route and routeFile.
var paths = [...]string{
	routeIncrement:    "/increment",
	routeReport:       "/report",
	routeReset:        "/reset",
	routeCount:        "/count",
	routeArgs:         "/args",
	routeKeys:         "/v1/keys",
	routeKey:          "/v1/keys/{key}",
	routeKeyIncrement: "/v1/keys/{key}/increment",
	routeBatch:        "/v1/batch",
	routeRegion:       "/v1/region",
	routeWorkers:      "/v1/workers",
	routeStatus:       "/v1/status",
	routeMetrics:      "/metrics",
	routeHealth:       "/healthz",
	routeReady:        "/readyz",
	routeDocument:     "/openapi.json",
	routePage:         "/docs",
	routePageFile:     "/docs/{file}",
	routeBoard:        "/",
	routeBoardFile:    "/ui/{file}",
}

// allowed has the methods of each route but OPTIONS, which every route has.
var allowed = [...]method{
	routeIncrement:    get | post,
	routeReport:       get | head,
	routeReset:        get | post,
	routeCount:        get | head,
	routeArgs:         get | head | put,
	routeKey:          get | head | put | patch | del,
	routeKeyIncrement: post,
	routeKeys:         get | head | del,
	routeBatch:        post,
	routeRegion:       get | head,
	routeWorkers:      get | head,
	routeStatus:       get | head,
	routeMetrics:      get | head,
	routeHealth:       get | head,
	routeReady:        get | head,
	routeDocument:     get | head,
	routePage:         get | head,
	routePageFile:     get | head,
	routeBoard:        get | head,
	routeBoardFile:    get | head,
}

// kindOf is what a route is counted as.
var kindOf = [...]metrics.Kind{
	routeNone:         metrics.Other,
	routeIncrement:    metrics.Increment,
	routeReport:       metrics.Report,
	routeReset:        metrics.Reset,
	routeCount:        metrics.Count,
	routeArgs:         metrics.Args,
	routeKey:          metrics.Key,
	routeKeyIncrement: metrics.KeyIncrement,
	routeKeys:         metrics.Keys,
	routeBatch:        metrics.Batch,
	routeRegion:       metrics.Region,
	routeWorkers:      metrics.Workers,
	routeStatus:       metrics.Status,
	routeMetrics:      metrics.Metrics,
	routeHealth:       metrics.Health,
	routeReady:        metrics.Ready,
	routeDocument:     metrics.OpenAPI,
	routePage:         metrics.Docs,
	routePageFile:     metrics.Docs,
	routeBoard:        metrics.Dashboard,
	routeBoardFile:    metrics.Dashboard,
}

var (
	prefixKeys      = []byte("/v1/keys/")
	prefixPage      = []byte("/docs/")
	prefixDashboard = []byte("/ui/")
	suffixIncrement = []byte("/increment")
)

// route finds the route of an undecoded path, but for those of files. For the
// routes of one key it leaves the key, still undecoded, in c.key.
func (c *call) route(path []byte) route {
	switch string(path) {
	case "/increment":
		return routeIncrement
	case "/report":
		return routeReport
	case "/reset":
		return routeReset
	case "/count":
		return routeCount
	case "/args":
		return routeArgs
	case "/v1/keys":
		return routeKeys
	case "/v1/batch":
		return routeBatch
	case "/v1/region":
		return routeRegion
	case "/v1/workers":
		return routeWorkers
	case "/v1/status":
		return routeStatus
	case "/metrics":
		return routeMetrics
	case "/healthz":
		return routeHealth
	case "/readyz":
		return routeReady
	}
	key, found := bytes.CutPrefix(path, prefixKeys)
	if !found {
		return routeNone
	}
	slash := bytes.IndexByte(key, '/')
	switch {
	case slash < 0:
		c.key = key
		return routeKey
	case string(key[slash:]) == string(suffixIncrement):
		c.key = key[:slash]
		return routeKeyIncrement
	}
	return routeNone
}

// routeFile finds the route of a file, and leaves the file in r.file.
func (r *request) routeFile(path []byte) route {
	switch string(path) {
	case "/openapi.json":
		r.file = apidoc.Document
		return routeDocument
	case "/docs":
		r.file = apidoc.Page
		return routePage
	case "/":
		r.file = dashboard.Page
		return routeBoard
	}
	if name, found := bytes.CutPrefix(path, prefixPage); found {
		if r.file = apidoc.File(name); r.file != nil {
			return routePageFile
		}
	}
	if name, found := bytes.CutPrefix(path, prefixDashboard); found {
		if r.file = dashboard.File(name); r.file != nil {
			return routeBoardFile
		}
	}
	return routeNone
}

// refuseMethod refuses a request whose method the route does not have, or whose
// route does not exist. OPTIONS passes, and has its Allow.
func (r *request) refuseMethod(which route, path []byte) error {
	asterisk := len(path) == 1 && path[0] == '*' && r.method == options
	if which == routeNone && !asterisk {
		return notFound(path)
	}
	allow := allowed[which] | options
	if asterisk {
		allow = get | head | post | put | patch | del | options
	}
	r.ctx.Response.Header.Set(fasthttp.HeaderAllow, allow.String())
	if r.method == options {
		return nil
	}
	return problemf(fasthttp.StatusMethodNotAllowed, "this resource answers %s", allow)
}

// options answers OPTIONS, on a key only if the path names one.
func (r *request) options(which route) error {
	if which == routeKey || which == routeKeyIncrement {
		if err := r.readPathKey(); err != nil {
			return err
		}
	}
	if which == routeKey {
		r.ctx.Response.Header.SetCanonical(acceptPatch, typeMergePatch)
	}
	r.status = fasthttp.StatusNoContent
	return nil
}

func notFound(path []byte) error {
	if bytes.HasPrefix(path, prefixKeys) {
		return problemf(fasthttp.StatusNotFound,
			"the routes of a key are /v1/keys/{key} and /v1/keys/{key}/increment; a slash within the key is written %%2F")
	}
	return problemf(fasthttp.StatusNotFound, "no such route; there are %s", command.InWords(paths[routeNone+1:]))
}
