package e2e_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/e2e"
)

// anyOf returns one client of a map, another one each time.
func anyOf(clients map[int]*http.Client) *http.Client {
	for _, c := range clients {
		return c
	}
	return nil
}

// TestObjectIsOne: what one worker writes, every worker reads, byte for byte
// and under the same version.
func TestObjectIsOne(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{Workers: 4})
	each := s.EachWorker()
	for key, body := range map[string]string{
		"object": `{"b":1,"a":[1.50,null,{"é":"\u0000"}]}`, "array": `[ 1 ]`, "string": `"x"`, "float": `1e400`, "null": `null`,
		"true": `true`, "integer": `-9223372036854775808`, "a%2Fb%00%FF%20": `{}`,
	} {
		path := "/v1/keys/" + key
		tag := e2e.Ask(t, anyOf(each), "PUT", path, body).WantStatus(201).WantBody(body).Header.Get("ETag")
		for pid, client := range each {
			r := e2e.Ask(t, client, "GET", path, "").WantStatus(200).WantBody(body)
			if got := r.Header.Get("ETag"); got != tag || tag == "" {
				t.Errorf("worker %d: ETag %q, want %q", pid, got, tag)
			}
		}
		next := e2e.Ask(t, anyOf(each), "PUT", path, body).WantStatus(200).Header.Get("ETag")
		if next == tag {
			t.Errorf("%s: written twice under one version %s", key, tag)
		}
		for _, client := range each {
			e2e.Ask(t, client, "PUT", path, `"stale"`, "If-Match", tag).WantStatus(412)
			e2e.Ask(t, client, "GET", path, "", "If-None-Match", next).WantStatus(304)
		}
		e2e.Ask(t, anyOf(each), "DELETE", path, "", "If-Match", next).WantStatus(204)
		for _, client := range each {
			e2e.Ask(t, client, "GET", path, "").WantStatus(404)
		}
		if again := e2e.Ask(t, anyOf(each), "PUT", path, body).WantStatus(201).Header.Get("ETag"); again == tag || again == next {
			t.Errorf("%s: the version %s came again after a delete", key, again)
		}
	}
	s.Stop()
}

// TestPatchIsSeen by every worker, and leaves what it does not name.
func TestPatchIsSeen(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{Workers: 4})
	each := s.EachWorker()
	e2e.Ask(t, anyOf(each), "PUT", "/v1/keys/o", `{"a":1,"b":{"c":2,"d":3}}`).WantStatus(201)
	patch := []string{"Content-Type", "application/merge-patch+json"}
	e2e.Ask(t, anyOf(each), "PATCH", "/v1/keys/o", `{"a":null,"b":{"c":[4]},"e":"f"}`, patch...).WantStatus(200)
	for _, client := range each {
		var got struct {
			A *int
			B struct {
				C []int
				D int
			}
			E string
		}
		e2e.Ask(t, client, "GET", "/v1/keys/o", "").WantStatus(200).Decode(&got)
		if got.A != nil || len(got.B.C) != 1 || got.B.C[0] != 4 || got.B.D != 3 || got.E != "f" {
			t.Errorf("%+v", got)
		}
	}
	s.Stop()
}

// TestArgsAreOne: replaced through one worker, read through all.
func TestArgsAreOne(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{Workers: 4, Flags: []string{"--args", `{"model": "small"}`}})
	each := s.EachWorker()
	for i := range 20 {
		want := `{"args":{"model":"small"}}`
		if i > 0 {
			args := fmt.Sprintf(`{"model":"large","edition":%d}`, i)
			want = `{"args":` + args + `}`
			e2e.Ask(t, anyOf(each), "PUT", "/args", args).WantStatus(200)
		}
		for _, client := range each {
			e2e.Ask(t, client, "GET", "/args", "").WantStatus(200).WantBody(want)
		}
	}
	s.Stop()
}

// TestTimeToLive: every worker tells the same, no worker shows the key when it
// is over, and its room is given back though nobody asks for it.
func TestTimeToLive(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{Workers: 4})
	each := s.EachWorker()
	const life = 3 * time.Second
	begin := time.Now()
	e2e.Ask(t, anyOf(each), "PUT", "/v1/keys/object?ttl=3s", `{"a":1}`).WantStatus(201)
	e2e.Ask(t, anyOf(each), "POST", "/v1/keys/counter/increment?ttl=3s", "").WantStatus(200)
	e2e.Ask(t, anyOf(each), "POST", "/v1/keys/counter/increment?ttl=1h", "").WantStatus(200) // counts only when it creates
	for _, key := range []string{"never%20read", "changed", "removed"} {
		e2e.Ask(t, anyOf(each), "PUT", "/v1/keys/"+key+"?ttl=3s", `[]`).WantStatus(201)
	}
	e2e.Ask(t, anyOf(each), "PATCH", "/v1/keys/changed?ttl=1h", "").WantStatus(200)
	e2e.Ask(t, anyOf(each), "PATCH", "/v1/keys/removed?ttl=none", "").WantStatus(200)
	written := time.Since(begin)
	for _, key := range []string{"object", "counter"} {
		for pid, client := range each {
			r := e2e.Ask(t, client, "GET", "/v1/keys/"+key, "")
			elapsed := time.Since(begin)
			if r.Status == 404 && elapsed >= life {
				continue // a machine that is busy with something else
			}
			seconds, err := strconv.ParseFloat(r.Header.Get("Fondue-TTL"), 64)
			left := time.Duration(seconds * float64(time.Second))
			if r.Status != 200 || err != nil || left <= 0 || left > life || left < life-elapsed-time.Millisecond {
				t.Errorf("worker %d, %v after the write: %d, Fondue-TTL %q", pid, elapsed, r.Status, r.Header.Get("Fondue-TTL"))
			}
		}
	}
	time.Sleep(life + written - time.Since(begin)) // the promise is about this moment, not about some time after it
	for pid, client := range each {
		for _, key := range []string{"object", "counter"} {
			if r := e2e.Ask(t, client, "GET", "/v1/keys/"+key, ""); r.Status != 404 {
				t.Errorf("worker %d shows %s after its end: %d %s", pid, key, r.Status, r.Body)
			}
		}
		for _, key := range []string{"changed", "removed"} {
			e2e.Ask(t, client, "GET", "/v1/keys/"+key, "").WantStatus(200)
		}
	}
	e2e.Eventually(t, requestsLimit, "the room of three keys is given back", func() bool {
		r := regionOf(t, s)
		return r.Entries == 2 && r.Expiries == 3 && r.Expiring == 1
	})
	s.Stop()
}

// region is /v1/region, as far as these tests need it.
type region struct {
	Used      int64  `json:"used"`
	Entries   int    `json:"entries"`
	Expiring  int    `json:"expiring"`
	Evict     string `json:"evict"`
	Evictions int64  `json:"evictions"`
	Expiries  int64  `json:"expiries"`
}

func regionOf(t *testing.T, s *e2e.Server) (r region) {
	t.Helper()
	s.Get("/v1/region").WantStatus(200).Decode(&r)
	return r
}
