package httpapi

import (
	"strings"

	"github.com/fondue-server/fondue/internal/shm"
)

// provocation is a request and the status that it is answered with. In the
// header, $ETAG stands for the last ETag that was answered.
type provocation struct {
	line, header, body string
	status             int
}

// provocations go on from the keys of newSeededClient.
var provocations = []provocation{
	{"GET /increment?key=visits&by=1", "", "", 200},
	{"POST /increment?key=visits&by=-5", "", "", 200},
	{"GET /increment?key=visits&by=5", "", "", 200},
	{"GET /increment?by=lots", "", "", 400},
	{"GET /increment?ky=visits", "", "", 400},
	{"GET /increment?key=", "", "", 400},
	{"POST /increment", "", "key=visits", 400},
	{"POST /increment", "If-Match: *\r\n", "", 400},
	{"GET /report?key=visits", "", "", 200},
	{"GET /report?key=nobody", "", "", 200},
	{"GET /count?key=visits", "", "", 200},

	{"PUT /v1/keys/text", "", `"token"`, 201},
	{"GET /increment?key=text", "", "", 409},
	{"POST /increment?key=text", "", "", 409},
	{"GET /report?key=text", "", "", 409},
	{"HEAD /report?key=text", "", "", 409},
	{"GET /reset?key=text", "", "", 409},
	{"POST /reset?key=text", "", "", 409},
	{"GET /count?key=text", "", "", 409},
	{"HEAD /count?key=text", "", "", 409},
	{"POST /v1/keys/text/increment", "", "", 409},
	{"POST /increment?key=visits&by=9223372036854775807", "", "", 409},

	{"GET /reset?key=visits", "", "", 200},
	{"POST /v1/keys/visits/increment", "", "", 200},
	{"POST /v1/keys/visits/increment?by=4", "", "", 200},
	{"POST /reset?key=visits", "", "", 200},

	{"GET /args", "", "", 200},
	{"PUT /args", "", `{"model":"large"}`, 200},
	{"PUT /args", "Content-Type: text/plain\r\n", "{}", 415},
	{"PUT /args", "Content-Encoding: gzip\r\n", "{}", 415},
	{"PUT /args", "", "[]", 422},
	{"PUT /args", "", `{"a":1,"a":2}`, 422},

	{"PUT /v1/keys/user:1", "", `{"name":"ann","visits":1}`, 200},
	{"GET /v1/keys/user:1", "", "", 200},
	{"HEAD /v1/keys/user:1", "", "", 200},
	{"GET /v1/keys/user:1", "If-None-Match: $ETAG\r\n", "", 304},
	{"HEAD /v1/keys/user:1", "If-None-Match: $ETAG\r\n", "", 304},
	{"GET /v1/keys/user:1", `If-Match: "0"` + "\r\n", "", 412},
	{"HEAD /v1/keys/user:1", `If-Match: "0"` + "\r\n", "", 412},
	{"GET /v1/keys/nobody", "", "", 404},
	{"HEAD /v1/keys/nobody", "", "", 404},
	{"PATCH /v1/keys/user:1", "", `{"visits":2,"last":"today"}`, 200},
	{"PATCH /v1/keys/nobody?ttl=1h", "", "", 404},
	{"PATCH /v1/keys/nobody", "If-Match: *\r\n", "{}", 412},
	{"PATCH /v1/keys/user:1", "Content-Type: application/json-patch+json\r\n", "[]", 415},
	{"PATCH /v1/keys/user:1", "", "", 422},
	{"PUT /v1/keys/user:1", "If-None-Match: *\r\n", "1", 412},
	{"PUT /v1/keys/user:1", "Content-Type: text/plain\r\n", "1", 415},
	{"PUT /v1/keys/user:1", "", "nope", 422},
	{"PUT /v1/keys/answer", "", "41", 201},
	{"GET /v1/keys/answer", "", "", 200},
	{"GET /v1/keys/text", "", "", 200},
	{"PUT /v1/keys/object", "", `{"name":"ann","visits":1}`, 201},
	{"PUT /v1/keys/expiring?ttl=30m", "", `"token"`, 201},
	{"PUT /v1/keys/expiring?ttl=30m", "", `"token"`, 200},
	{"PATCH /v1/keys/expiring?ttl=1h", "", "", 200},
	{"GET /v1/keys/expiring", "", "", 200},
	{"HEAD /v1/keys/expiring", "", "", 200},
	{"GET /v1/keys/expiring", "If-None-Match: *\r\n", "", 304},
	{"DELETE /v1/keys/expiring", `If-Match: "0"` + "\r\n", "", 412},
	{"DELETE /v1/keys/expiring", "", "", 204},
	{"DELETE /v1/keys/expiring", "", "", 404},
	{"PUT /v1/keys/large", "", `"` + strings.Repeat("x", shm.DefaultMaxValue) + `"`, 413},

	{"POST /v1/batch", "", `[{"op":"put","key":"b","value":[1]},{"op":"increment","key":"n"},{"op":"get","key":"nobody"}]`, 200},
	{"POST /v1/batch", "", "[" + strings.Repeat(`{"op":"get","key":"a"},`, 1000) + `{"op":"get","key":"a"}]`, 413},
	{"POST /v1/batch", "", `[{"op":"put","key":"a"}]`, 422},
	{"POST /v1/batch", "Content-Type: text/plain\r\n", "[]", 415},

	{"PUT /v1/keys/seconds?ttl=1h", "", "1.5", 201},
	{"GET /v1/keys?limit=1", "", "", 200},
	{"GET /v1/keys", "", "", 200},
	{"PUT /v1/keys/%ff", "", "null", 201},
	{"GET /v1/keys?prefix=%ff", "", "", 200},
	{"DELETE /v1/keys?all=true", "", "", 200},
	{"PUT /v1/keys/user:1", "", `{"a":"123456"}`, 201},
	{"GET /v1/keys?prefix=user:", "", "", 200},
	{"DELETE /v1/keys?prefix=user:", "", "", 200},

	{"GET /metrics", "", "", 200},
	{"GET /metrics", "Accept: application/openmetrics-text\r\n", "", 200},
	{"HEAD /metrics", "Accept: application/openmetrics-text\r\n", "", 200},

	{"GET /openapi.json", "Accept-Encoding: gzip\r\n", "", 200},
	{"HEAD /openapi.json", "Accept-Encoding: gzip\r\n", "", 200},
	{"GET /openapi.json", "If-None-Match: *\r\n", "", 304},
	{"HEAD /openapi.json", "If-None-Match: *\r\n", "", 304},
	{"GET /docs", "Accept-Encoding: gzip\r\n", "", 200},
	{"HEAD /docs", "Accept-Encoding: gzip\r\n", "", 200},
	{"GET /docs", "If-None-Match: *\r\n", "", 304},
	{"HEAD /docs", "If-None-Match: *\r\n", "", 304},
	{"GET /docs/docs.js", "Accept-Encoding: gzip\r\n", "", 200},
	{"HEAD /docs/docs.js", "Accept-Encoding: gzip\r\n", "", 200},
	{"GET /docs/docs.js", "If-None-Match: *\r\n", "", 304},
	{"HEAD /docs/docs.js", "If-None-Match: *\r\n", "", 304},
	{"GET /docs/swagger-ui.css", "", "", 200},
	{"GET /docs/favicon-32x32.png", "", "", 200},
	{"GET /docs/nothing.js", "", "", 404},
	{"HEAD /docs/nothing.js", "", "", 404},
	{"OPTIONS /docs/nothing.js", "", "", 404},

	{"GET /", "Accept-Encoding: gzip\r\n", "", 200},
	{"HEAD /", "Accept-Encoding: gzip\r\n", "", 200},
	{"GET /", "If-None-Match: *\r\n", "", 304},
	{"HEAD /", "If-None-Match: *\r\n", "", 304},
	{"GET /ui/dashboard.js", "Accept-Encoding: gzip\r\n", "", 200},
	{"HEAD /ui/dashboard.js", "Accept-Encoding: gzip\r\n", "", 200},
	{"GET /ui/dashboard.js", "If-None-Match: *\r\n", "", 304},
	{"HEAD /ui/dashboard.js", "If-None-Match: *\r\n", "", 304},
	{"GET /ui/dashboard.css", "", "", 200},
	{"GET /ui/icon.svg", "", "", 200},
	{"GET /ui/nothing.js", "", "", 404},
	{"HEAD /ui/nothing.js", "", "", 404},
	{"OPTIONS /ui/nothing.js", "", "", 404},
}

func (s *survey) sendProvocations() {
	c := newSeededClient(s.t)
	etag := ""
	for _, p := range provocations {
		response, body := c.do(p.line, strings.ReplaceAll(p.header, "$ETAG", etag), p.body)
		if response.StatusCode != p.status {
			s.t.Errorf("%.100s: %d, want %d: %s", p.line, response.StatusCode, p.status, body)
		}
		if tag := response.Header.Get("ETag"); tag != "" {
			etag = tag
		}
		s.record(s.find(p.line), p.line, response, body)
	}
}
