package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/shm"
)

func TestCounters(t *testing.T) {
	t.Parallel()
	pid := itoa(os.Getpid())
	run(t, []step{
		{"GET /report", "", "", 200, `{"count":0,"current_process_id":` + pid + `}`},
		{"GET /report?key=cnt", "", "", 200, `{"count":null,"current_process_id":` + pid + `}`},
		{"GET /count", "", "", 200, `0`},
		{"GET /count?key=cnt", "", "", 200, `0`},
		{"GET /increment", "", "", 200, `{"key":"count","count":1}`},
		{"POST /increment", "", "", 200, `{"key":"count","count":2}`},
		{"HEAD /increment", "", "", 405, ``},
		{"HEAD /reset", "", "", 405, ``},
		{"GET /count", "", "", 200, `2`},
		{"HEAD /count", "", "", 200, ``},
		{"GET /increment?key=cnt&by=-5", "", "", 200, `{"key":"cnt","count":-5}`},
		{"GET /increment?by=+7&key=cnt", "", "", 200, `{"key":"cnt","count":2}`},
		{"GET /increment?by=%2B7&&key=cnt&", "", "", 200, `{"key":"cnt","count":9}`},
		{"GET /increment?key=cnt&by=0", "", "", 200, `{"key":"cnt","count":9}`},
		{"GET http://other:80/count?key=cnt", "", "", 200, `9`},
		{"GET /reset?key=cnt", "", "", 200, `{"key":"cnt","count":0,"previous":9}`},
		{"POST /reset?key=cnt", "", "", 200, `{"key":"cnt","count":0,"previous":0}`},
		{"GET /reset?key=never", "", "", 200, `{"key":"never","count":0,"previous":0}`},
		{"GET /v1/keys/never", "", "", 404, "no such key"},
		{"GET /report?key=cnt", "", "", 200, `{"count":0,"current_process_id":` + pid + `}`},
	})
}

func TestRange(t *testing.T) {
	t.Parallel()
	run(t, []step{
		{"GET /increment?by=9223372036854775807", "", "", 200, `{"key":"count","count":9223372036854775807}`},
		{"GET /increment", "", "", 409, "unchanged"},
		{"GET /count", "", "", 200, `9223372036854775807`},
		{"GET /increment?key=low&by=-9223372036854775808", "", "", 200, `{"key":"low","count":-9223372036854775808}`},
		{"GET /increment?key=low&by=-1", "", "", 409, "unchanged"},
		{"GET /count?key=low", "", "", 200, `-9223372036854775808`},
		{"GET /increment?by=9223372036854775808", "", "", 400, "9223372036854775807"},
		{"GET /increment?by=-9223372036854775809", "", "", 400, "-9223372036854775808"},
		{"GET /increment?by=99999999999999999999999999", "", "", 400, "by must be an integer"},
	})
}

func TestParameters(t *testing.T) {
	t.Parallel()
	run(t, []step{
		{"GET /increment?by=x", "", "", 400, "by must be an integer"},
		{"GET /increment?by=", "", "", 400, "by must be an integer"},
		{"GET /increment?by", "", "", 400, "by must be an integer"},
		{"GET /increment?by=1.0", "", "", 400, "by must be an integer"},
		{"GET /increment?by=1e3", "", "", 400, "by must be an integer"},
		{"GET /increment?by=0x10", "", "", 400, "by must be an integer"},
		{"GET /increment?by=--1", "", "", 400, "by must be an integer"},
		{"GET /increment?by=%2B%2B1", "", "", 400, "by must be an integer"},
		{"GET /increment?by=%zz", "", "", 400, "by must be an integer"},
		{"GET /increment?by=%" + strings.Repeat("30", 100), "", "", 400, "by must be an integer"},
		{"GET /increment?by=%31%32", "", "", 200, `{"key":"count","count":12}`},
		{"GET /increment?by=1&by=1", "", "", 400, "twice"},
		{"GET /increment?key=a&key=a", "", "", 400, "twice"},
		{"GET /increment?ky=a", "", "", 400, "key and by"},
		{"GET /increment?Key=a", "", "", 400, "key and by"},
		{"GET /increment?ttl=30s", "", "", 400, "key and by"},
		{"GET /increment?init=3", "", "", 400, "key and by"},
		{"GET /report?by=3", "", "", 400, "takes key"},
		{"GET /args?key=3", "", "", 400, "takes none"},
		{"POST /v1/keys/a/increment?key=b", "", "", 400, "by, init and ttl"},
		{"GET /increment?key=", "", "", 400, "1 to 512"},
		{"GET /increment?key", "", "", 400, "1 to 512"},
		{"GET /increment?key=%", "", "", 400, "hexadecimal"},
		{"GET /increment?key=%4", "", "", 400, "hexadecimal"},
		{"GET /increment?key=a%4g", "", "", 400, "hexadecimal"},
		{"GET /increment?key=a#b", "", "", 400, "%23"},
		{"GET /increment?key=" + strings.Repeat("k", 513), "", "", 400, "1 to 512"},
		{"GET /increment?key=" + strings.Repeat("%6b", 513), "", "", 400, "1 to 512"},
		{"GET /increment?key=a+b%2B", "", "", 200, `{"key":"a b+","count":1}`},
		{"GET /v1/keys/a%20b+", "", "", 200, `1`},
		{"GET /count", "", "", 200, `12`},
		{"GET /healthz?probe=1", "", "", 200, `{"status":"ok"}`},
		{"GET /readyz?probe=1", "", "", 200, `{"status":"ready"}`},
	})
}

func TestKeyBytes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", 512)
	run(t, []step{
		{"POST /v1/keys/a%2Fb/increment", "", "", 200, `{"key":"a/b","value":1}`},
		{"POST /v1/keys/a%2fb/increment", "", "", 200, `{"key":"a/b","value":2}`},
		{"POST /v1/keys/../increment", "", "", 200, `{"key":"..","value":1}`},
		{"POST /v1/keys/./increment", "", "", 200, `{"key":".","value":1}`},
		{"POST /v1/keys/%2F%2F/increment", "", "", 200, `{"key":"//","value":1}`},
		{"POST /v1/keys/%00/increment", "", "", 200, `{"key":"\u0000","value":1}`},
		{"POST /v1/keys/%ff%22%5c%0a/increment", "", "", 200, `{"key":"\ufffd\"\\\n","value":1}`},
		{"POST /v1/keys/%c3%bc%E2%82%ac/increment", "", "", 200, `{"key":"ü€","value":1}`},
		{"POST /v1/keys/ü€/increment", "", "", 200, `{"key":"ü€","value":2}`},
		{"POST /v1/keys/http://x/increment", "", "", 404, "%2F"},
		{"POST /v1/keys/http:%2F%2Fx/increment", "", "", 200, `{"key":"http://x","value":1}`},
		{"POST /v1/keys/increment/increment", "", "", 200, `{"key":"increment","value":1}`},
		{"GET /v1/keys/increment", "", "", 200, `1`},
		{"POST /v1/keys/" + long + "/increment", "", "", 200, `{"key":"` + long + `","value":1}`},
		{"POST /v1/keys/" + strings.Repeat("%6b", 512) + "/increment", "", "", 200, `{"key":"` + long + `","value":2}`},
		{"GET /v1/keys/" + long + "k", "", "", 400, "1 to 512"},
		{"GET /v1/keys/", "", "", 400, "1 to 512"},
		{"POST /v1/keys//increment", "", "", 400, "1 to 512"},
		{"GET /v1/keys/%2", "", "", 400, "hexadecimal"},
		{"GET /v1/keys/a/b", "", "", 404, "%2F"},
		{"GET /v1/keys//", "", "", 404, "%2F"},
		{"GET /v1//keys/a", "", "", 404, "no such route"},
		{"GET /x/../increment", "", "", 404, "no such route"},
		{"GET //increment", "", "", 404, "no such route"},
		{"GET /index.html", "", "", 404, "/increment"},
		{"GET /increment/", "", "", 404, "/increment"},
	})
}

func TestMethods(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for _, s := range []struct {
		line, allow string
		status      int
	}{
		{"PUT /increment", "GET, POST, OPTIONS", 405},
		{"HEAD /increment", "GET, POST, OPTIONS", 405},
		{"HEAD /reset", "GET, POST, OPTIONS", 405},
		{"DELETE /count", "GET, HEAD, OPTIONS", 405},
		{"POST /v1/keys/a", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS", 405},
		{"PATCH /v1/keys", "GET, HEAD, DELETE, OPTIONS", 405},
		{"PATCH /v1/keys/a/increment", "POST, OPTIONS", 405},
		{"GET /v1/batch", "POST, OPTIONS", 405},
		{"POST /v1/region", "GET, HEAD, OPTIONS", 405},
		{"OPTIONS /v1/keys", "GET, HEAD, DELETE, OPTIONS", 204},
		{"OPTIONS /v1/batch", "POST, OPTIONS", 204},
		{"GET /v1/keys/a/increment", "POST, OPTIONS", 405},
		{"POST /healthz", "GET, HEAD, OPTIONS", 405},
		{"BREW /report", "GET, HEAD, OPTIONS", 405},
		{"OPTIONS /reset", "GET, POST, OPTIONS", 204},
		{"OPTIONS /v1/keys/%41", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS", 204},
		{"OPTIONS /v1/keys/%zz", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS", 400},
		{"OPTIONS /v1/keys//increment", "POST, OPTIONS", 400},
		{"OPTIONS *", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS", 204},
		{"OPTIONS /nothing", "", 404},
	} {
		response, body := c.do(s.line, "", "")
		if response.StatusCode != s.status || response.Header.Get("Allow") != s.allow {
			t.Errorf("%s: %d, Allow %q", s.line, response.StatusCode, response.Header.Get("Allow"))
		}
		wantPatch := ""
		if s.line == "OPTIONS /v1/keys/%41" {
			wantPatch = "application/merge-patch+json"
		}
		if got := response.Header.Get("Accept-Patch"); got != wantPatch {
			t.Errorf("%s: Accept-Patch %q", s.line, got)
		}
		if s.status >= 400 && response.Request.Method != "HEAD" {
			checkProblem(t, s.line, response, body)
		}
	}
}

func TestWorkers(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	response, body := c.do("GET /v1/workers", "", "")
	var got struct{ Workers []map[string]any }
	if err := json.Unmarshal([]byte(body), &got); err != nil || response.StatusCode != 200 || len(got.Workers) != 1 {
		t.Fatalf("%d %v %s", response.StatusCode, err, body)
	}
	w := got.Workers[0]
	for _, name := range strings.Fields("slot pid generation state requests errors connections heartbeat_age_ms restarts memory_bytes") {
		if _, found := w[name]; !found {
			t.Errorf("no %s in %s", name, body)
		}
	}
	if w["pid"] != float64(os.Getpid()) || w["state"] != "ready" {
		t.Errorf("own row: %s", body)
	}
}

func TestDraining(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.commands.Drain()
	response, body := c.do("GET /readyz", "", "")
	if response.StatusCode != 503 || !strings.Contains(checkProblem(t, "readyz", response, body), "draining") {
		t.Errorf("readyz while draining: %d %s", response.StatusCode, body)
	}
	for _, line := range []string{"GET /healthz", "GET /increment"} {
		if response, body := c.do(line, "", ""); response.StatusCode != 200 {
			t.Errorf("%s while draining: %d %s", line, response.StatusCode, body)
		}
	}
}

// TestBodies: a body is refused where parameters in it would be lost.
func TestBodies(t *testing.T) {
	t.Parallel()
	form := "Content-Type: application/x-www-form-urlencoded\r\n"
	run(t, []step{
		{"POST /increment", form, "key=visits&by=50", 400, "query"},
		{"GET /increment", "", "x", 400, "query"},
		{"POST /reset", form, "key=visits", 400, "query"},
		{"GET /count", "", "key=visits", 400, "query"},
		{"POST /v1/keys/a/increment", form, "by=2", 400, "query"},
		{"DELETE /v1/keys/a", "", "x", 400, "query"},
		{"DELETE /v1/keys?prefix=a", "", "x", 400, "query"},
		{"GET /v1/keys", "", "x", 400, "query"},
		{"GET /v1/region", "", "x", 400, "query"},
		{"POST /increment", "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", "", 400, "query"},
		{"GET /count", "", "", 200, `0`},
		{"POST /increment", "Content-Length: 0\r\n", "", 200, `{"key":"count","count":1}`},
		{"POST /increment", "Transfer-Encoding: chunked\r\n\r\n0\r\n", "", 200, `{"key":"count","count":2}`},
		{"GET /healthz", "", "ping", 200, `{"status":"ok"}`},
		{"GET /readyz", "", "ping", 200, `{"status":"ready"}`},
	})
}

// TestFault: who runs the server is told what a client cannot mend.
func TestFault(t *testing.T) {
	t.Parallel()
	var faults []error
	api := New(newCommands(t), func(err error) { faults = append(faults, err) })
	for _, c := range []struct {
		err    error
		status int
	}{
		{fmt.Errorf("shard 3: %w", shm.ErrCorrupt), 500},
		{errors.New("any other"), 500},
		{shm.ErrFull, 507},
		{shm.ErrNotFound, 404},
	} {
		r := new(request)
		if api.refuse(r, c.err); r.status != c.status {
			t.Errorf("%v: %d, want %d", c.err, r.status, c.status)
		}
	}
	if len(faults) != 2 || !errors.Is(faults[0], shm.ErrCorrupt) {
		t.Errorf("faults: %v", faults)
	}
}
