package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/fondue-server/fondue/internal/e2e"
)

// TestServeCounts is the reason for everything: whichever worker is asked, it
// knows what the others counted.
func TestServeCounts(t *testing.T) {
	t.Parallel()
	for _, accept := range []string{"reuseport", "shared"} {
		for _, workers := range []int{1, 2, 16} {
			t.Run(fmt.Sprintf("%s/%d", accept, workers), func(t *testing.T) {
				t.Parallel()
				s := e2e.Start(t, e2e.Options{Workers: workers, Flags: []string{"--accept", accept}})
				var group sync.WaitGroup
				for range 8 {
					group.Go(func() {
						for range 10 {
							s.Get("/increment?key=cnt").WantStatus(200)
						}
					})
				}
				group.Wait()
				for range workers {
					var report struct {
						Count int64 `json:"count"`
						PID   int   `json:"current_process_id"`
					}
					s.Get("/report?key=cnt").WantStatus(200).Decode(&report)
					if report.Count != 80 || report.PID == 0 || report.PID == s.PID {
						t.Errorf("%+v, want 80 counted by a worker", report)
					}
				}
				if got := len(s.Workers()); got != workers {
					t.Errorf("%d workers, want %d", got, workers)
				}
				s.Stop()
			})
		}
	}
}

func TestServeDefaultsToServe(t *testing.T) {
	t.Parallel()
	r := e2e.Run(t, nil, "--region", filepath.Join(t.TempDir(), "none", "region"), "--listen", "127.0.0.1:0")
	if r.Code != exitFailure || strings.Count(r.Stderr, "\n") != 1 || !strings.Contains(r.Stderr, "region") {
		t.Errorf("code %d, %q", r.Code, r.Stderr)
	}
}

func TestServePreloadAndArgs(t *testing.T) {
	t.Parallel()
	preload := filepath.Join(t.TempDir(), "preload.json")
	if err := os.WriteFile(preload, []byte(`{"a": 41, "b": -7, "o": {"x": [1.50, null]}, "s": "text"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := []string{"--preload", preload, "--args", `{"model": "x", "k": [1]}`}
	s := e2e.Start(t, e2e.Options{Flags: flags})
	s.Get("/increment?key=a").WantBody(`{"key":"a","count":42}`)
	s.Get("/v1/keys/b").WantBody("-7")
	s.Get("/v1/keys/o").WantBody(`{"x": [1.50, null]}`)
	s.Do("PUT", "/v1/keys/s", "false").WantStatus(200)
	s.Get("/args").WantBody(`{"args":{"model":"x","k":[1]}}`)
	s.Stop()

	again := e2e.Start(t, e2e.Options{Flags: flags[:2], Region: s.Region})
	again.Get("/v1/keys/a").WantBody("42") // set if absent, and it was there
	again.Get("/v1/keys/s").WantBody("false")
	again.Get("/args").WantBody(`{"args":{"model":"x","k":[1]}}`)
}

// TestServeMaxValue: the limit holds in the workers, and for a region that was
// made for less it is refused before anything is started.
func TestServeMaxValue(t *testing.T) {
	t.Parallel()
	value := func(size int) string { return `"` + strings.Repeat("x", size-2) + `"` }
	s := e2e.Start(t, e2e.Options{Flags: []string{"--max-value", "4KiB"}})
	s.Do("PUT", "/v1/keys/a", value(4096)).WantStatus(201)
	s.Do("PUT", "/v1/keys/b", value(4097)).WantStatus(http.StatusRequestEntityTooLarge)
	s.Do("PUT", "/args", `{"a":`+value(4097)+`}`).WantStatus(http.StatusRequestEntityTooLarge)
	s.Stop()
	refused := e2e.Run(t, nil, "--region", s.Region, "--listen", "127.0.0.1:0", "--workers", "1", "--max-value", "6MiB")
	if refused.Code != exitFailure || strings.Count(refused.Stderr, "\n") != 1 || !strings.Contains(refused.Stderr, "--max-value 6291456") || !strings.Contains(refused.Stderr, "--fresh") {
		t.Errorf("%+v", refused)
	}
	s = e2e.Start(t, e2e.Options{Region: s.Region}) // the default again
	s.Get("/v1/keys/a").WantBody(value(4096))
	s.Do("PUT", "/v1/keys/b", value(1<<20)).WantStatus(201)
	s.Do("PUT", "/v1/keys/b", value(1<<20+1)).WantStatus(http.StatusRequestEntityTooLarge)
	s.Stop()
	large := e2e.Start(t, e2e.Options{Flags: []string{"--max-value", "6MiB", "--region-size", "32MiB"}})
	large.Do("PUT", "/v1/keys/a", value(6<<20)).WantStatus(201)
	large.Get("/v1/keys/a").WantBody(value(6 << 20))
}

func TestServeFreshSetsAside(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{})
	s.Get("/increment?key=a").WantStatus(200)
	s.Stop()
	s = e2e.Start(t, e2e.Options{Region: s.Region, Flags: []string{"--fresh"}})
	s.Get("/v1/keys/a").WantStatus(http.StatusNotFound)
	aside, err := filepath.Glob(s.Region + ".*")
	if err != nil || len(aside) != 1 {
		t.Fatalf("set aside: %v, %v", aside, err)
	}
	if r := e2e.Run(t, nil, "check", "--region", aside[0]); r.Code != exitOK || !strings.Contains(r.Stdout, "1 entry") {
		t.Errorf("check of what was set aside: %+v", r)
	}
}

func TestServeFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pid, access, socket := filepath.Join(dir, "pid"), filepath.Join(dir, "access.log"), filepath.Join(dir, "s")
	s := e2e.Start(t, e2e.Options{
		Listen: []string{"127.0.0.1:0", "unix:" + socket},
		Flags:  []string{"--pid-file", pid, "--access-log", access},
	})
	text, err := os.ReadFile(pid)
	if got, _ := strconv.Atoi(strings.TrimSpace(string(text))); err != nil || got != s.PID {
		t.Errorf("pid file holds %q, %v; the master is %d", text, err, s.PID)
	}
	if len(s.Addrs) != 2 {
		t.Fatalf("addresses %v", s.Addrs)
	}
	e2e.Do(t, "unix:"+socket, http.MethodPost, "/increment?key=over-unix", "").WantStatus(200)
	s.Get("/report?key=over-unix").WantStatus(200)
	s.Stop()
	for _, gone := range []string{pid, socket} {
		if _, err := os.Stat(gone); !os.IsNotExist(err) {
			t.Errorf("%s is left behind: %v", gone, err)
		}
	}
	lines, err := os.ReadFile(access)
	if err != nil || !bytes.Contains(lines, []byte("/increment?key=over-unix")) {
		t.Errorf("access log %q, %v", lines, err)
	}
}

func TestServeFromVariables(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{
		Env: []string{"FONDUE_ARGS={\"from\": \"env\"}", "FONDUE_WROKERS=3", "FONDUE_PORT=tcp://10.0.0.1:80"},
	})
	s.Get("/args").WantBody(`{"args":{"from":"env"}}`)
	if log := s.Log(); !strings.Contains(log, "FONDUE_WROKERS") || !strings.Contains(log, "did you mean FONDUE_WORKERS") || strings.Contains(log, "FONDUE_PORT") {
		t.Errorf("warnings about variables in:\n%s", log)
	}
}

// TestServeRefuses: one line on stderr, exit 1, and what was there untouched.
func TestServeRefuses(t *testing.T) {
	t.Parallel()
	running := e2e.Start(t, e2e.Options{})
	running.Get("/increment?key=a").WantStatus(200)
	dir := t.TempDir()
	foreign := filepath.Join(dir, "foreign")
	if err := os.WriteFile(foreign, bytes.Repeat([]byte("text"), 1<<18), 0o600); err != nil {
		t.Fatal(err)
	}
	fresh := func(name string) string { return filepath.Join(dir, name) }
	cases := []struct {
		name string
		args []string
		want []string
	}{
		{"region in use", []string{"--region", running.Region, "--listen", "127.0.0.1:0"}, []string{running.Region, "--join", strconv.Itoa(running.PID)}},
		{"fresh over a region in use", []string{"--region", running.Region, "--listen", "127.0.0.1:0", "--fresh"}, []string{running.Region, "in use"}},
		{"address in use", []string{"--region", fresh("a"), "--listen", running.Addrs[0]}, []string{running.Addrs[0], "in use", "pid " + strconv.Itoa(running.PID)}},
		{"nobody to join", []string{"--region", fresh("b"), "--listen", "127.0.0.1:0", "--join"}, []string{"--join"}},
		{"foreign file", []string{"--region", foreign, "--listen", "127.0.0.1:0"}, []string{foreign, "not a fondue region"}},
		{"foreign file, fresh", []string{"--region", foreign, "--listen", "127.0.0.1:0", "--fresh"}, []string{foreign, "not a fondue region"}},
		{"larger than the file system", []string{"--region", fresh("c"), "--listen", "127.0.0.1:0", "--region-size", "16TiB"}, []string{"--region-size"}},
		{"no directory", []string{"--region", fresh("d/e"), "--listen", "127.0.0.1:0"}, []string{"d/e", "no such"}},
		{"directory of the pid file", []string{"--region", fresh("g"), "--listen", "127.0.0.1:0", "--pid-file", fresh("h/pid")}, []string{"--pid-file " + fresh("h/pid"), "no such"}},
		{"directory of the access log", []string{"--region", fresh("g"), "--listen", "127.0.0.1:0", "--access-log", fresh("h/log")}, []string{"--access-log " + fresh("h/log"), "no such"}},
		{"directory of the socket", []string{"--region", fresh("g"), "--listen", "unix:" + fresh("h/s")}, []string{"--listen unix:" + fresh("h/s"), "no such"}},
		{"host without address", []string{"--region", fresh("g"), "--listen", "no.such.host.invalid:80"}, []string{"--listen no.such.host.invalid:80", "no address"}},
		{"foreign address", []string{"--region", fresh("f"), "--listen", "192.0.2.1:80"}, []string{"192.0.2.1:80"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := e2e.Run(t, nil, append([]string{"serve", "--workers", "1"}, c.args...)...)
			if r.Code != exitFailure || strings.Count(r.Stderr, "\n") != 1 {
				t.Errorf("code %d, want %d with one line; stderr:\n%s", r.Code, exitFailure, r.Stderr)
			}
			for _, w := range c.want {
				if !strings.Contains(r.Stderr, w) {
					t.Errorf("%q does not say %q", r.Stderr, w)
				}
			}
		})
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("refused starts left %v, %v", entries, err)
	}
	if text, err := os.ReadFile(foreign); err != nil || !bytes.Equal(text, bytes.Repeat([]byte("text"), 1<<18)) {
		t.Errorf("the foreign file was changed: %v", err)
	}
	running.Get("/report?key=a").WantStatus(200)
	running.Stop()
}

// TestServeRefusesValues: what no host could make right is a usage error, even
// if it takes a look at the host to know.
func TestServeRefusesValues(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	region, socket := filepath.Join(dir, "region"), "unix:"+filepath.Join(dir, "s")
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"--region", dir}, []string{"--region " + dir, "directory", "/fondue.region"}},
		{[]string{"--region", region, "--pid-file", "/dev/null"}, []string{"--pid-file /dev/null", "a device", "regular file"}},
		{[]string{"--region", region, "--access-log", region}, []string{"--access-log " + region, "--region"}},
		{[]string{"--region", region, "--listen", "unix:" + dir + "/./s"}, []string{"--listen unix:" + dir + "/./s", "--listen " + socket, "another spelling"}},
	} {
		r := e2e.Run(t, nil, append([]string{"serve", "--workers", "1", "--listen", socket}, c.args...)...)
		if r.Code != exitUsage || strings.Count(r.Stderr, "\n") != 1 {
			t.Errorf("%v: code %d, stderr:\n%s", c.args, r.Code, r.Stderr)
		}
		for _, w := range c.want {
			if !strings.Contains(r.Stderr, w) {
				t.Errorf("%q does not say %q", r.Stderr, w)
			}
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
			t.Errorf("%v: left %v, %v", c.args, entries, err)
		}
	}
}

func TestServeRefusesGeometry(t *testing.T) {
	t.Parallel()
	r := e2e.Run(t, nil, "--region", filepath.Join(t.TempDir(), "r"), "--listen", "127.0.0.1:0", "--region-size", "200TiB")
	if r.Code != exitUsage || strings.Count(r.Stderr, "\n") != 1 || !strings.Contains(r.Stderr, "--region-size") {
		t.Errorf("code %d, %q", r.Code, r.Stderr)
	}
}

func TestServeSignals(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			s := e2e.Start(t, e2e.Options{})
			s.Get("/increment?key=a").WantStatus(200)
			s.Signal(sig)
			s.WantExit(exitOK)
		})
	}
}

// TestWorkerEntryIsClosed: the variable that makes a worker is no way in.
func TestWorkerEntryIsClosed(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"", "x", "{}"} {
		r := e2e.Run(t, []string{"FONDUE_HANDOFF=" + value})
		if r.Code != exitUsage || strings.Count(r.Stderr, "\n") != 1 || !strings.Contains(r.Stderr, "FONDUE_HANDOFF") {
			t.Errorf("%q: code %d, %q", value, r.Code, r.Stderr)
		}
	}
}
