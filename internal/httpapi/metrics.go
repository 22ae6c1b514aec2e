package httpapi

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/metrics"
)

// metrics answers /metrics, in the format that the scraper prefers. Like the probes
// it ignores parameters: scrapers are written by others.
func (a *API) metrics(r *request) error {
	format := formatOf(r.ctx.Request.Header.Peek(fasthttp.HeaderAccept))
	snapshot := a.commands.Metrics()
	r.ctx.Response.SwapBody(snapshot.Append(r.body(), format))
	r.ctx.Response.Header.SetContentType(format.ContentType())
	r.ctx.Response.Header.Add(fasthttp.HeaderVary, fasthttp.HeaderAccept)
	return nil
}

// formatOf finds the format in an Accept field: OpenMetrics where that is asked for,
// and not less than plain text.
func formatOf(accept []byte) metrics.Format {
	open, text := 0, 0 // weights in thousandths
	for element := range bytes.SplitSeq(accept, []byte(",")) {
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

// readAccept reads one element of an Accept field (RFC 9110, 12.5.1). A weight that is
// none counts as 0.
func readAccept(element []byte) (media string, weight int, version string) {
	name, rest, _ := bytes.Cut(element, semicolon)
	media, weight = string(bytes.ToLower(trim(name))), 1000
	for parameter := range bytes.SplitSeq(rest, semicolon) {
		key, value, _ := bytes.Cut(trim(parameter), equals)
		switch string(bytes.ToLower(trim(key))) {
		case "q":
			weight = thousandths(trim(value))
		case "version":
			version = string(bytes.Trim(trim(value), `"`))
		}
	}
	return media, weight, version
}

// thousandths reads a weight: 0 to 1 with up to three digits behind the point.
func thousandths(text []byte) int {
	if len(text) == 0 || len(text) > len("0.000") || text[0] != '0' && text[0] != '1' || len(text) > 1 && text[1] != '.' {
		return 0
	}
	n := int(text[0]-'0') * 1000
	for i, scale := 2, 100; i < len(text); i, scale = i+1, scale/10 {
		if text[i] < '0' || text[i] > '9' {
			return 0
		}
		n += int(text[i]-'0') * scale
	}
	return min(n, 1000)
}
