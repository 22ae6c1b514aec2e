package httpapi

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/command"
)

func TestParseTTL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"30s":                                30 * time.Second,
		"1500ms":                             1500 * time.Millisecond,
		"1ms":                                time.Millisecond,
		"1h30m":                              90 * time.Minute,
		"1m1ms":                              time.Minute + time.Millisecond,
		"7d":                                 7 * 24 * time.Hour,
		"3650d":                              command.MaxTTL,
		"87600h":                             command.MaxTTL,
		"1d12h30m5s7ms":                      36*time.Hour + 30*time.Minute + 5*time.Second + 7*time.Millisecond,
		"1.5h":                               90 * time.Minute,
		"0.001s":                             time.Millisecond,
		".5s":                                500 * time.Millisecond,
		"1.s":                                time.Second,
		"007s":                               7 * time.Second,
		"0s1ms":                              time.Millisecond,
		"1s1s":                               2 * time.Second,
		"1.0000000000000000000000000000001s": time.Second,
	} {
		if got, err := parseTTL([]byte(text)); got != want || err != nil {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"30":                           "write 30s",
		"1.5":                          "write 1.5s",
		"1h30":                         "write 1h30s",
		"":                             "such as 30s",
		"s":                            "such as 30s",
		".s":                           "such as 30s",
		"-1s":                          "such as 30s",
		"+1s":                          "such as 30s",
		"1 s":                          "such as 30s",
		"1s ":                          "such as 30s",
		"1S":                           "such as 30s",
		"1us":                          "such as 30s",
		"1ns":                          "such as 30s",
		"1w":                           "such as 30s",
		"1e3s":                         "such as 30s",
		"1..5s":                        "such as 30s",
		"none":                         "such as 30s",
		"0s":                           "at least 1ms",
		"0.9ms":                        "at least 1ms",
		"3650d1ms":                     "at most 3650d",
		"3651d":                        "at most 3650d",
		strings.Repeat("9", 100) + "d": "at most 3650d",
		"9223372036854775807d":         "at most 3650d",
		"3650d" + "3650d":              "at most 3650d",
	} {
		if got, err := parseTTL([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v, want %q", text, got, err, want)
		}
	}
}

func TestSecondsOfTTL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"1": time.Second, "29.512": 29512 * time.Millisecond, "0.001": time.Millisecond, "1e3": 1000 * time.Second,
		"315360000": command.MaxTTL, "0.0006": time.Millisecond,
		"0": 0, "-1": 0, "0.0004": 0, "315360001": 0, "1e400": 0, "-1e400": 0, strings.Repeat("9", 400): 0,
	} {
		if got, err := ttlOfSeconds([]byte(text)); got != want || (err == nil) != (want > 0) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for d, want := range map[time.Duration]string{
		time.Millisecond: "0.001", 10 * time.Millisecond: "0.01", 29512 * time.Millisecond: "29.512", time.Second: "1",
		1500 * time.Millisecond: "1.5", time.Nanosecond: "0.001", time.Second + 1: "1.001", time.Second - 1: "1",
		command.MaxTTL: "315360000", 100 * time.Second: "100",
	} {
		if got := string(appendSeconds([]byte("100 "), d)); got != "100 "+want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

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
		{"PATCH /v1/keys/a?ttl=1h", `{}`, 201, 3600, 3600},
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
