package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/listen"
)

// configFile writes a configuration and returns its path.
func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fondue.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfigFile(t *testing.T) {
	t.Parallel()
	path := configFile(t, `
listen = ["127.0.0.1:1", "unix:/a,b"]
workers = 3
region-size = "64MiB"
max-value = 4096 # bytes
join = true
hang-timeout = "0s"
evict = "clock"
access-log = "off"
args = {b = [1, "<x>"], a = {c = 1.5}}
`)
	c := configure(t, nil, "--config", path)
	specs := []listen.Spec{{Network: listen.TCP, Addr: "127.0.0.1:1"}, {Network: listen.Unix, Addr: "/a,b"}}
	if !slices.Equal(c.Listen, specs) || c.Workers != 3 || c.RegionSize != 64<<20 || c.MaxValue != 4096 || !c.Join ||
		c.HangTimeout != 0 || !c.Evict || c.AccessLog != "" {
		t.Errorf("%+v", c)
	}
	if got := string(c.Args); got != `{"a":{"c":1.5},"b":[1,"<x>"]}` {
		t.Errorf("args %s", got)
	}
	if c.MaxWorkers != 64 || c.ShutdownTimeout != 30*time.Second {
		t.Errorf("defaults of what is not in it: %+v", c)
	}
	section := configFile(t, "listen = \":2\"\n[args]\nmodel = \"x\"\n[args.of]\nn = 1\n")
	if c := configure(t, map[string]string{"FONDUE_CONFIG": section}); string(c.Args) != `{"model":"x","of":{"n":1}}` || c.Listen[0].Addr != ":2" {
		t.Errorf("args as a section: %s, %v", c.Args, c.Listen)
	}
	if c := configure(t, nil, "--config", configFile(t, `args = '{"a": 1}'`)); string(c.Args) != `{"a":1}` {
		t.Errorf("args as on the command line: %s", c.Args)
	}
	if c := configure(t, nil, "--config", configFile(t, "")); c.MaxWorkers != 64 {
		t.Errorf("an empty file: %+v", c)
	}
}

// TestPrecedence: flag, variable, file, default; and what an earlier one decides
// is not read from a later one.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	path := configFile(t, "workers = 2\nlog-level = \"warn\"\nevict = \"clock\"\nregion-size = \"nonsense\"\nlisten = [\":1\", \":2\"]")
	env := map[string]string{"FONDUE_LOG_LEVEL": "error", "FONDUE_WORKERS": "x", "FONDUE_EVICT": ""}
	c := configure(t, env, "--config", path, "--workers", "5", "--region-size", "2MiB", "--listen", ":3")
	if c.Workers != 5 || c.LogLevel != "error" || !c.Evict || c.RegionSize != 2<<20 || len(c.Listen) != 1 || c.Listen[0].Addr != ":3" {
		t.Errorf("%+v", c)
	}
	if c := configure(t, nil, "--config", configFile(t, `access-log = "/x"`), "--access-log", "off"); c.AccessLog != "" {
		t.Errorf("access log %q", c.AccessLog)
	}
}

// TestConfigMistakes: one line, with the place and what would be right, 2; and
// --check-config says the same.
func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		line       string
		want       []string
	}{
		{"unknown key", "workers = 1\n\nwrokers = 2", ":3", []string{`"wrokers"`, "did you mean workers?"}},
		{"underscore", "log_level = 'info'", ":1", []string{"did you mean log-level?"}},
		{"unlike any", "colour = 2", ":1", []string{`"colour"`, "--help"}},
		{"wrong value", "\n\nlog-level = 'loud'", ":3", []string{"log-level: ", `"loud"`, "debug, info, warn, error"}},
		{"time without unit", "shutdown-timeout = 30", ":1", []string{"shutdown-timeout: ", "30s"}},
		{"not whole", "workers = 1.5", ":1", []string{"workers: ", `"1.5"`, "whole number"}},
		{"none", "workers = 0", ":1", []string{"workers: ", "from 1"}},
		{"switch for a file", "access-log = true", ":1", []string{"access-log: ", "not true", "in quotes"}},
		{"switch", "join = 'perhaps'", ":1", []string{"join: ", "true nor false"}},
		{"list of one", "workers = [1]", ":1", []string{"workers: ", "not a list"}},
		{"empty list", "listen = []", ":1", []string{"listen: ", "empty"}},
		{"in a list", "listen = [\n':1',\n'8000'\n]", ":1", []string{"listen: ", "127.0.0.1:8000"}},
		{"twice in a list", "listen = [':1', ':1']", "", []string{"listen: ", "twice"}},
		{"section", "[server]\nworkers = 2", ":1", []string{"[server]", "at the top"}},
		{"section of a setting", "\n[workers]\nx = 1", ":2", []string{"workers: ", "workers = "}},
		{"list of sections", "[[listen]]\nx = 1", ":1", []string{"listen: "}},
		{"date", "pid-file = 1979-05-27", ":1", []string{"pid-file: ", "in quotes"}},
		{"date in args", "[args]\na.b = [1979-05-27]", ":1", []string{"args: a: b: ", "dates"}},
		{"no number of JSON", "args = {a = inf}", ":1", []string{"args: ", "JSON"}},
		{"args no object", "args = '[1]'", ":1", []string{"args: ", "an array"}},
		{"text without quotes", "\nlog-level = info", ":2", []string{"not TOML", "in quotes"}},
		{"time without quotes", "hang-timeout = 5s", ":1", []string{"not TOML", "in quotes"}},
		{"key twice", "workers = 1\nworkers = 2", ":2", []string{"not TOML", "workers", "already"}},
		{"not UTF-8", "a = \"\xff\"", ":1", []string{"not TOML", "UTF-8"}},
		{"config in it", "config = 'x'", ":1", []string{"config: ", "flag"}},
		{"check-config in it", "check-config = true", ":1", []string{"check-config: ", "flag"}},
		{"more workers than slots", "workers = 9\nmax-workers = 8", "", []string{"workers: 9", "--max-workers 9"}},
		{"empty path", "region = ''", ":1", []string{"region: ", "empty"}},
		{"preload", "preload = '/nowhere/x'", ":1", []string{"preload: ", "/nowhere/x", "no such file"}},
		{"too long", strings.Repeat("#\n", maxConfigFile/2+1), "", []string{"--config", "1048578 bytes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := configFile(t, c.text)
			for _, flags := range [][]string{{"--config", path}, {"serve", "--config=" + path, "--check-config"}} {
				code, stdout, stderr := invoke(nil, flags...)
				if code != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 {
					t.Errorf("code %d, standard output %q, %q", code, stdout, stderr)
				}
				for _, want := range append(c.want, path+c.line+": ") {
					if !strings.Contains(stderr, want) {
						t.Errorf("%q does not say %q", stderr, want)
					}
				}
			}
		})
	}
}

func TestNoConfigFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{filepath.Join(dir, "none"): "no such file", dir: "a directory", pipe: "not a regular file", "/dev/null": "not a regular file"} {
		for _, from := range []string{"--config", "FONDUE_CONFIG"} {
			env, args := map[string]string{from: path}, []string(nil)
			if from == "--config" {
				env, args = nil, []string{"--config", path}
			}
			code, _, stderr := invoke(env, args...)
			if code != exitUsage || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, from+" "+path) || !strings.Contains(stderr, want) {
				t.Errorf("code %d, %q; want %q", code, stderr, want)
			}
		}
	}
}

// TestCheckConfig: a good one is said to be good, and nothing is touched.
func TestCheckConfig(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := configFile(t, "region = '"+dir+"/region'\naccess-log = '"+dir+"/log'\npid-file = '"+dir+"/pid'\nlisten = 'unix:"+dir+"/s'")
	code, stdout, stderr := invoke(nil, "--config", path, "--check-config")
	if code != exitOK || stdout != path+" is good\n" || stderr != "" {
		t.Errorf("code %d, %q, %q", code, stdout, stderr)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("made %v, %v", entries, err)
	}
	if code, stdout, _ := invoke(map[string]string{"FONDUE_CHECK_CONFIG": "1"}); code != exitOK || stdout != "the configuration is good\n" {
		t.Errorf("without a file: code %d, %q", code, stdout)
	}
}
