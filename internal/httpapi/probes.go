package httpapi

import "github.com/valyala/fasthttp"

// isProbe reports whether others write the requests of a route: their parameters
// and bodies are ignored.
func isProbe(which route) bool {
	return which == routeHealth || which == routeReady || which == routeMetrics
}

// health answers /healthz: the process lives and can answer.
func (a *API) health(r *request) error {
	return r.reply(append(r.body(), `{"status":"ok"}`...))
}

// ready answers /readyz: send new work here.
func (a *API) ready(r *request) error {
	if !a.commands.Ready() {
		return problemf(fasthttp.StatusServiceUnavailable, "draining: this worker is about to end; send new work elsewhere")
	}
	return r.reply(append(r.body(), `{"status":"ready"}`...))
}
