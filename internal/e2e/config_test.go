package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/e2e"
	"github.com/fondue-server/fondue/internal/shm"
)

// configured is a server with a configuration file that changes.
type configured struct {
	*e2e.Server
	t        *testing.T
	path     string
	reloaded int
}

func startConfigured(t *testing.T, text string) *configured {
	t.Helper()
	c := &configured{t: t, path: filepath.Join(t.TempDir(), "fondue.toml")}
	c.write(text)
	o := e2e.Options{Config: c.path}
	if strings.HasPrefix(text, "listen") {
		o.Listen = []string{}
	}
	c.Server = e2e.Start(t, o)
	return c
}

func (c *configured) write(text string) {
	c.t.Helper()
	if err := os.WriteFile(c.path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// reload puts another text into force.
func (c *configured) reload(text string) {
	c.t.Helper()
	c.write(text)
	c.Signal(syscall.SIGHUP)
	c.reloaded++
	e2e.Eventually(c.t, requestsLimit, "the reload to end", func() bool {
		return strings.Count(c.Log(), `"msg":"reloaded"`) == c.reloaded
	})
}

// refuse reloads a text that is wrong for a reason.
func (c *configured) refuse(text, reason string) {
	c.t.Helper()
	before := len(c.Log())
	c.write(text)
	c.Signal(syscall.SIGHUP)
	e2e.Eventually(c.t, requestsLimit, "the reload to be refused", func() bool {
		return strings.Contains(c.Log()[before:], `"msg":"reload is refused, everything stays as it is"`)
	})
	if log := c.Log()[before:]; !strings.Contains(log, reason) {
		c.t.Errorf("%q is not in the log:\n%s", reason, log)
	}
}

// TestConfigChanges: settings change under load, or are refused, and no request
// fails.
func TestConfigChanges(t *testing.T) {
	t.Parallel()
	s := startConfigured(t, "workers = 2\n")
	region, err := shm.OpenReadOnly(s.Region)
	if err != nil {
		t.Fatal(err)
	}
	defer region.Close()
	serve := func(n int) {
		t.Helper()
		e2e.Eventually(t, time.Minute, "the workers asked for, and no other", func() bool {
			return len(pids(region)) == n && len(region.Slots()) == n+1
		})
	}
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	written := func(path string) {
		t.Helper()
		e2e.Eventually(t, requestsLimit, "lines in "+path, func() bool {
			text, err := os.ReadFile(path)
			return err == nil && bytes.Contains(text, []byte("POST"))
		})
	}
	load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 8, NewConn: 4, Path: "/increment?key=k"})
	serve(2)

	s.reload("workers = 4\nlog-level = \"debug\"\naccess-log = \"" + first + "\"\npid-file = \"" + dir + "/pid\"\n")
	serve(4)
	written(first)
	if log := s.Log(); !strings.Contains(log, `"level":"DEBUG"`) || !strings.Contains(log, `"settings":["pid-file"]`) {
		t.Errorf("no line of level debug, or no warning about the pid file in the log:\n%s", log)
	}

	there := pids(region)
	s.refuse("workers = \n", s.path+":1")
	s.refuse("log-level = \"loud\"\n", s.path+":1: log-level")
	s.refuse("workers = 16\nworkres = 3\n", "did you mean workers?")
	s.refuse("workers = 17\n", "--max-workers 17")
	s.refuse("max-value = \"64MiB\"\n", "max-value")
	s.refuse("workers = 1\naccess-log = \""+dir+"/none/log\"\n", dir+"/none/log")
	if now := pids(region); !maps.Equal(now, there) {
		t.Errorf("workers %v were %v before reloads that were refused", now, there)
	}
	if err := os.Truncate(first, 0); err != nil {
		t.Fatal(err)
	}
	written(first) // still

	s.reload("workers = 1\naccess-log = \"" + second + "\"\nevict = \"clock\"\nmax-value = \"4KiB\"\n")
	serve(1)
	written(second)
	var policy struct {
		Evict    string `json:"evict"`
		MaxValue int64  `json:"max_value"`
	}
	s.Get("/v1/region").WantStatus(200).Decode(&policy)
	if policy.Evict != "clock" || policy.MaxValue != 4<<10 {
		t.Errorf("policy %+v", policy)
	}

	s.reload("workers = 1\n")
	serve(1)
	before, err := os.ReadFile(second)
	if err != nil {
		t.Fatal(err)
	}
	pause(load)
	if after, err := os.ReadFile(second); err != nil || len(after) != len(before) {
		t.Errorf("%d bytes of lines since the access log is off, %v", len(after)-len(before), err)
	}
	load.Stop()
	wantNoFailure(t, load)
	wantExact(t, count(t, s.Server, "k"), load)
	s.Get("/v1/region").WantStatus(200).Decode(&policy)
	if policy.Evict != "none" || policy.MaxValue <= 4<<10 {
		t.Errorf("policy %+v after the settings are gone", policy)
	}
	s.Stop()
}

// TestConfigIsWrongAtTheStart: one line, nothing is started, nothing is made.
func TestConfigIsWrongAtTheStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, region := filepath.Join(dir, "fondue.toml"), filepath.Join(dir, "region")
	if err := os.WriteFile(path, []byte("region = \""+region+"\"\nworkers = \"many\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := e2e.Run(t, []string{"FONDUE_CONFIG=" + path})
	if r.Code != 2 || strings.Count(r.Stderr, "\n") != 1 || !strings.Contains(r.Stderr, path+":2: workers: ") {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat(region); !os.IsNotExist(err) {
		t.Errorf("the region: %v", err)
	}
}

// TestUpgradeReadsTheConfig: as a start does, but what a server begins with.
func TestUpgradeReadsTheConfig(t *testing.T) {
	t.Parallel()
	preload := filepath.Join(t.TempDir(), "preload.json")
	if err := os.WriteFile(preload, []byte(`{"a": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	text := "preload = \"" + preload + "\"\n"
	s := startConfigured(t, text+"workers = 1\n")
	if err := os.Remove(preload); err != nil {
		t.Fatal(err)
	}
	s.write(text + "workers = 3\nevict = \"clock\"\n")
	s.Upgrade()
	region, err := shm.OpenReadOnly(s.Region)
	if err != nil {
		t.Fatal(err)
	}
	defer region.Close()
	e2e.Eventually(t, time.Minute, "three workers, and no other", func() bool {
		return len(pids(region)) == 3 && len(region.Slots()) == 4
	})
	var policy struct {
		Evict string `json:"evict"`
	}
	s.Get("/v1/region").WantStatus(200).Decode(&policy)
	if policy.Evict != "clock" {
		t.Errorf("policy %+v", policy)
	}
	s.reload(text + "workers = 1\n")
	e2e.Eventually(t, time.Minute, "one worker", func() bool { return len(region.Slots()) == 2 })
	s.Stop()
}

// TestUpgradeChangesAddresses: one that is dropped is refused and free when the old
// master is gone, and one that is added is served.
func TestUpgradeChangesAddresses(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	s := startConfigured(t, "listen = [\"127.0.0.2:0\", \"127.0.0.1:0\"]\nworkers = 2\n")
	s.write(fmt.Sprintf("listen = [\"127.0.0.1:0\", \"unix:%s\"]\nworkers = 2\n", socket))
	dropped, kept := s.Addrs[0], s.Addrs[1]
	s.Upgrade()
	if s.Addrs[0] != kept {
		t.Errorf("the new master listens on %v, and the old one did on %s", s.Addrs, kept)
	}
	for _, addr := range s.Addrs {
		e2e.Do(t, addr, "GET", "/increment?key=k", "").WantStatus(200)
	}
	if c, err := net.DialTimeout("tcp", dropped, requestsLimit); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the address that was dropped: %v, %v", c, err)
	}
	next, err := net.Listen("tcp4", dropped)
	if err != nil {
		t.Fatalf("it is not free: %v", err)
	}
	next.Close()
	s.Stop()
}
