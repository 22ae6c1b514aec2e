package httpapi

import "github.com/valyala/fasthttp"

// isProbe reports whether others write the requests of a route: their parameters
// and bodies are ignored.
func isProbe(which route) bool {
	return which == routeHealth || which == routeReady || which == routeMetrics
}

// health answers /healthz: the process lives and can answer.
func (c *call) health() error {
	return c.reply(append(c.body, `{"status":"ok"}`...))
}

// ready answers /readyz: send new work here.
func (c *call) ready() error {
	if !c.commands.Ready() {
		return problemf(fasthttp.StatusServiceUnavailable, "draining: this worker is about to end; send new work elsewhere")
	}
	return c.reply(append(c.body, `{"status":"ready"}`...))
}
