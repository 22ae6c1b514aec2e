package httpapi

import (
	"strconv"
	"testing"
)

// TestTTL: what a request says of the time to live, and what the key then has.
func TestTTL(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for _, s := range []struct {
		line, body string
		status     int
		told, left float64 // seconds: in the reply, and by GET; 0: none
	}{
		{"PUT /v1/keys/a?ttl=30s", "[1]", 201, 30, 30},
		{"PATCH /v1/keys/a", `[2]`, 200, 30, 30},
		{"PATCH /v1/keys/a?ttl=1h", `[2]`, 200, 3600, 3600},
		{"PATCH /v1/keys/a?ttl=none", `[3]`, 200, 0, 0},
		{"PATCH /v1/keys/a?ttl=1500%6ds", ``, 200, 1.5, 1.5},
		{"PATCH /v1/keys/a?ttl=2d", ``, 200, 172800, 172800},
		{"PUT /v1/keys/a", "[4]", 200, 0, 0},
		{"PATCH /v1/keys/a?ttl=1m", ``, 200, 60, 60},
		{"PATCH /v1/keys/a?ttl=none", ``, 200, 0, 0},
		{"PUT /v1/keys/a?ttl=1m", `5`, 200, 60, 60},
		{"POST /v1/keys/a/increment?ttl=1h", ``, 200, 0, 60},
		{"GET /increment?key=a", ``, 200, 0, 60},
		{"GET /reset?key=a", ``, 200, 0, 60},
		{"PATCH /v1/keys/a?ttl=2m", ``, 200, 120, 120},
		{"PUT /v1/keys/a", `5`, 200, 0, 0},
		{"POST /v1/keys/a/increment?ttl=1h", ``, 200, 0, 0},
		{"DELETE /v1/keys/a", ``, 204, 0, -1},
		{"POST /v1/keys/a/increment?ttl=1h&init=4", ``, 200, 0, 3600},
		{"DELETE /v1/keys/a", ``, 204, 0, -1},
		{"PATCH /v1/keys/a?ttl=1h", ``, 404, 0, -1},
		{"PATCH /v1/keys/a?ttl=1h", `{}`, 200, 3600, 3600},
		// Refused, and nothing changed.
		{"PUT /v1/keys/a?ttl=30", `5`, 400, 0, 3600},
		{"PUT /v1/keys/a?ttl=", `5`, 400, 0, 3600},
		{"PUT /v1/keys/a?ttl", `5`, 400, 0, 3600},
		{"PUT /v1/keys/a?ttl=none", `5`, 400, 0, 3600},
		{"PUT /v1/keys/a?ttl=1s&ttl=1s", `5`, 400, 0, 3600},
		{"PUT /v1/keys/a?ttl=%zz", `5`, 400, 0, 3600},
		{"PATCH /v1/keys/a?ttl=0s", `5`, 400, 0, 3600},
		{"POST /v1/keys/a/increment?ttl=none", ``, 400, 0, 3600},
		{"POST /v1/keys/a/increment?ttl=3651d", ``, 400, 0, 3600},
	} {
		response, body := c.do(s.line, "", s.body)
		if response.StatusCode != s.status {
			t.Errorf("%s %s: %d: %s", s.line, s.body, response.StatusCode, body)
		}
		check := func(what, header string, want float64) {
			got := 0.0
			if header != "" {
				var err error
				if got, err = strconv.ParseFloat(header, 64); err != nil {
					t.Errorf("%s %s: %s: Fondue-TTL %q", s.line, s.body, what, header)
				}
			}
			if got > want || got < want-20 || (got > 0) != (want > 0) {
				t.Errorf("%s %s: %s: Fondue-TTL %q, want %v", s.line, s.body, what, header, want)
			}
		}
		check("told", response.Header.Get("Fondue-TTL"), s.told)
		response, _ = c.do("GET /v1/keys/a", "", "")
		if (response.StatusCode == 404) != (s.left < 0) {
			t.Errorf("%s %s: then %d", s.line, s.body, response.StatusCode)
		}
		check("left", response.Header.Get("Fondue-TTL"), max(s.left, 0))
	}
}
