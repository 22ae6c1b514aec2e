package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/e2e"
	"github.com/fondue-server/fondue/internal/status"
)

// documentOf is what status tells at once.
func documentOf(t *testing.T, region string) status.Document {
	t.Helper()
	out := mustRun(t, "", "status", "--once", "--json", "--interval", "200ms", "--region", region)
	var d status.Document
	if err := json.Unmarshal([]byte(out), &d); err != nil || strings.Count(out, "\n") != 1 {
		t.Fatalf("%v in %q", err, out)
	}
	return d
}

func rate(v *float64) float64 {
	if v == nil {
		return 0
	}
	return *v
}

func TestStatusUnderLoad(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{Workers: 3})
	load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 6, Path: "/increment?key=k"})
	load.More(100)
	d := documentOf(t, s.Region)
	var pids, want []int
	for _, w := range d.Workers {
		pids = append(pids, w.PID)
		if w.State != "ready" || !w.Alive || w.Memory == 0 {
			t.Errorf("%+v", w)
		}
	}
	for _, w := range s.Workers() {
		want = append(want, w.PID)
	}
	if !slices.Equal(pids, want) {
		t.Errorf("workers %v, want %v", pids, want)
	}
	if rate(d.Interval) < 0.2 || rate(d.Totals.RequestsPerSecond) <= 0 || rate(d.Totals.CPUPercent) <= 0 || rate(d.Totals.P50) <= 0 || rate(d.Totals.SentPerSecond) <= 0 || d.Totals.Connections != 6 {
		t.Errorf("interval %v, %+v", rate(d.Interval), d.Totals)
	}
	if !d.Running || len(d.Masters) != 1 || d.Masters[0].PID != s.PID || d.Region.Path != s.Region || d.Region.Keys != 1 || len(d.Routes) < 1 || d.Routes[0].Route != "/increment" {
		t.Errorf("%+v", d)
	}
	out := mustRun(t, "", "status", "--interval", "100ms", "--region", s.Region) // no terminal: once
	for _, part := range []string{s.Region, fmt.Sprint("master ", s.PID), "/increment", fmt.Sprint(pids[2]), "req/s"} {
		if !strings.Contains(out, part) {
			t.Errorf("no %q in\n%s", part, out)
		}
	}
	load.Stop()
	var answer status.Document
	s.Get("/v1/status").WantStatus(200).Decode(&answer)
	if len(answer.Workers) != 3 || !slices.ContainsFunc(answer.Workers, func(w status.Worker) bool { return w.Alive }) || !answer.Running || answer.Interval != nil || answer.Totals.Requests < d.Totals.Requests {
		t.Errorf("/v1/status: %+v", answer)
	}
	for _, w := range answer.Workers {
		if !w.Alive { // the one that answers, too
			t.Errorf("/v1/status: %+v", w)
		}
	}
	s.Stop()
}

// TestStatusOfTheSilent: it needs no worker to answer.
func TestStatusOfTheSilent(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{Workers: 1, Flags: []string{"--hang-timeout", "0s"}})
	pid := s.Workers()[0].PID
	s.StopProcess(pid)
	defer syscall.Kill(pid, syscall.SIGCONT)
	first := documentOf(t, s.Region).Workers[0]
	second := documentOf(t, s.Region).Workers[0]
	if second.HeartbeatAge < first.HeartbeatAge+0.2 || !second.Alive || second.State != "ready" || second.CPUPercent != nil {
		t.Errorf("first %+v, then %+v", first, second)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.Get("/healthz").WantStatus(200)
	s.Stop()
}

// TestStatusOfTheDead: with everything killed it says so, and what there was.
func TestStatusOfTheDead(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{Workers: 2})
	for range 5 {
		s.Get("/increment").WantStatus(200)
	}
	pids := s.Children()
	for _, pid := range pids {
		s.StopProcess(pid) // or they would leave in order
	}
	s.KillMaster()
	if out := mustRun(t, "", "status", "--once", "--interval", "100ms", "--region", s.Region); !strings.Contains(out, "\nno master runs; its workers are leaving\n") {
		t.Errorf("%s", out)
	}
	for _, pid := range pids {
		s.Kill(pid)
	}
	s.WantNoOrphans(10 * time.Second)
	before, err := os.ReadFile(s.Region)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.Region, 0o400); err != nil {
		t.Fatal(err)
	}
	d := documentOf(t, s.Region)
	if d.Running || len(d.Masters) != 0 || len(d.Workers) != 2 || d.Totals.Requests != 5 || d.Totals.P50 == nil || d.Interval != nil || d.Totals.Connections != 0 {
		t.Errorf("%+v", d)
	}
	for _, w := range d.Workers {
		if w.State != "dead" || w.Alive || !slices.Contains(pids, w.PID) {
			t.Errorf("%+v", w)
		}
	}
	out := mustRun(t, "", "status", "--once", "--interval", "100ms", "--region", s.Region)
	if !strings.Contains(out, "\nno server runs; this is what it left\n") || strings.Count(out, " dead ") != 2 || !strings.Contains(out, "5 requests") {
		t.Errorf("%s", out)
	}
	if after, err := os.ReadFile(s.Region); err != nil || !bytes.Equal(before, after) {
		t.Errorf("status has written: %v", err)
	}
}

func TestStatusRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"layout", "boot"} {
		mustRun(t, `{"key":"a","value":1}`, "load", "--region", path(name), "--region-size", "2MiB")
	}
	reseal(t, path("layout"), func(page []byte) { page[8]++ })
	reseal(t, path("boot"), func(page []byte) { page[24]++ })
	for name, want := range map[string][]string{
		"layout": {"made by a version with another region layout"}, "boot": {"before the last reboot", "not trusted"},
		"none": {"does not exist", "--region"}, ".": {"not a regular file"},
	} {
		for _, more := range [][]string{nil, {"--json"}, {"--once", "--json"}} {
			wantRefusal(t, "", append([]string{"status", "--region", path(name)}, more...), append(want, path(name))...)
		}
	}
}

// TestStatusStream: a document a line, until nobody reads it or it is told to end.
func TestStatusStream(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{})
	for name, end := range map[string]func(*exec.Cmd, *os.File) error{
		"nobody reads": func(_ *exec.Cmd, out *os.File) error { return out.Close() },
		"interrupt":    func(c *exec.Cmd, _ *os.File) error { return c.Process.Signal(syscall.SIGINT) },
		"terminate":    func(c *exec.Cmd, _ *os.File) error { return c.Process.Signal(syscall.SIGTERM) },
	} {
		out, theirs, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		var stderr bytes.Buffer
		c := exec.Command(e2e.Binary(t), "status", "--json", "--interval", "100ms", "--region", s.Region)
		c.Stdout, c.Stderr = theirs, &stderr
		err = c.Start()
		theirs.Close()
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 3 {
			var d status.Document
			if !lines.Scan() || json.Unmarshal(lines.Bytes(), &d) != nil || d.Interval == nil || len(d.Workers) != 2 {
				t.Errorf("%s: %q", name, lines.Text())
			}
		}
		if err := end(c, out); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err != nil || stderr.Len() > 0 {
			t.Errorf("%s: %v, %q", name, err, stderr.String())
		}
	}
	s.Stop()
}
