package e2e_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/e2e"
)

// TestValuesOutliveTheServer: after a graceful stop, a quick one and a killed
// master the next start finds every value under its version, and times to live
// that have gone on.
func TestValuesOutliveTheServer(t *testing.T) {
	t.Parallel()
	large := `"` + strings.Repeat("x", 1<<20-2) + `"`
	values := map[string]string{"object": `{"a": [1.5, null]}`, "large": large, "counter": "42", "float": "1e3", "gone%00%ff": "null"}
	s := e2e.Start(t, e2e.Options{Workers: 2, Flags: []string{"--args", `{"x":1}`}})
	tags := map[string]string{}
	for key, value := range values {
		tags[key] = s.Do("PUT", "/v1/keys/"+key, value).WantStatus(201).Header.Get("ETag")
	}
	begin := time.Now()
	s.Do("PUT", "/v1/keys/lives?ttl=1h", "true").WantStatus(201)
	s.Do("PUT", "/v1/keys/dies?ttl=200ms", "true").WantStatus(201)
	for _, how := range []string{"stopped", "killed", "all killed"} {
		switch how {
		case "stopped":
			s.Stop()
		case "killed":
			s.KillMaster()
		default:
			workers := s.Children()
			s.KillMaster()
			for _, pid := range workers {
				s.Kill(pid)
			}
		}
		time.Sleep(time.Until(begin.Add(250 * time.Millisecond))) // until the shortest life is over, with nobody there to see it
		s = e2e.Start(t, e2e.Options{Workers: 1 + rand.IntN(3), Region: s.Region})
		for key, value := range values {
			if r := s.Get("/v1/keys/" + key).WantStatus(200).WantBody(value); r.Header.Get("ETag") != tags[key] {
				t.Errorf("%s: %s had the ETag %s and has %s", how, key, tags[key], r.Header.Get("ETag"))
			}
		}
		s.Get("/v1/keys/dies").WantStatus(404)
		left, err := strconv.ParseFloat(s.Get("/v1/keys/lives").WantStatus(200).Header.Get("Fondue-TTL"), 64)
		if passed := time.Since(begin).Seconds(); err != nil || left > 3600-0.25 || left < 3600-passed-0.01 {
			t.Errorf("%s: %v s are left after %v s, %v", how, left, passed, err)
		}
		s.Get("/args").WantBody(`{"args":{"x":1}}`)
	}
	s.Stop()
}

// TestRestartOverAStoppedWorker: a worker that was stopped when its master died
// does not leave. The next start ends it, and finds every acknowledged write.
func TestRestartOverAStoppedWorker(t *testing.T) {
	t.Parallel()
	for _, fixed := range []bool{true, false} { // the address, or another one
		s := e2e.Start(t, e2e.Options{Workers: 2})
		s.Get("/increment?key=k").WantStatus(200)
		stopped := s.Children()[0]
		s.StopProcess(stopped)
		s.KillMaster()
		o := e2e.Options{Workers: 2, Region: s.Region}
		if fixed {
			o.Listen = []string{s.Addrs[0]}
		}
		next := e2e.Start(t, o)
		next.Get("/count?key=k").WantBody("1")
		if !strings.Contains(next.Log(), "worker of a dead master does not leave and is killed") {
			t.Errorf("the log does not name it:\n%s", next.Log())
		}
		s.WantNoOrphans(time.Second)
		next.Stop()
	}
}
