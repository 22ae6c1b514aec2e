package httpapi

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/metrics"
)

// metrics answers /metrics, in the format that the scraper prefers. Like the probes
// it ignores parameters: scrapers are written by others.
func (a *API) metrics(r *request) error {
	format := formatOf(r.ctx.Request.Header.PeekAll(fasthttp.HeaderAccept))
	snapshot := a.commands.Metrics()
	r.body = snapshot.Append(r.body, format)
	r.ctx.Response.Header.SetContentType(format.ContentType())
	r.ctx.Response.Header.Add(fasthttp.HeaderVary, fasthttp.HeaderAccept)
	return nil
}

// formatOf finds the format in an Accept field: OpenMetrics where that is asked for,
// and not less than plain text.
func formatOf(lines [][]byte) metrics.Format {
	open, text := 0, 0 // weights in thousandths
	for element := range bytes.SplitSeq(bytes.Join(lines, comma), comma) {
		media, weight, version := readAccept(element)
		switch {
		case media == "application/openmetrics-text" && (version == "" || version == "1.0.0"):
			open = max(open, weight)
		case media == "text/plain" && (version == "" || version == "0.0.4"), media == "text/*":
			text = max(text, weight)
		}
	}
	if open > 0 && open >= text {
		return metrics.OpenMetrics
	}
	return metrics.Text
}
