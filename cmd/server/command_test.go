package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/shm"
)

// invoke runs one command line in this process.
func invoke(env map[string]string, args ...string) (code int, stdout, stderr string) {
	return feed("", env, args...)
}

// feed is invoke with something on standard input.
func feed(stdin string, env map[string]string, args ...string) (code int, stdout, stderr string) {
	var out, log bytes.Buffer
	p := process{
		stdin: strings.NewReader(stdin), stdout: &out, stderr: &log,
		lookup: func(name string) (string, bool) {
			v, ok := env[name]
			return v, ok
		},
		environ: func() []string {
			var list []string
			for name, value := range env {
				list = append(list, name+"="+value)
			}
			return list
		},
	}
	code = p.run(args)
	return code, out.String(), log.String()
}

// TestMistakes: one line, the flag or variable named, what would be right, 2.
func TestMistakes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cases := []struct {
		name string
		env  map[string]string
		args []string
		want []string
	}{
		{"unknown flag", nil, []string{"--wokers", "3"}, []string{"--wokers", "did you mean --workers?"}},
		{"flag unlike any", nil, []string{"--colour"}, []string{"--colour", "--help"}},
		{"short flag", nil, []string{"-w", "3"}, []string{"-w", "two dashes"}},
		{"no value", nil, []string{"--workers"}, []string{"--workers N"}},
		{"extra word", nil, []string{"serve", "now"}, []string{`"now"`, "flags only"}},
		{"unknown command", nil, []string{"chekc"}, []string{`"chekc"`, "did you mean check?"}},
		{"status's word", nil, []string{"status", "now"}, []string{`"now"`, "flags only", "fondue status"}},
		{"status's flag", nil, []string{"status", "--onec"}, []string{"did you mean --once?"}},
		{"looking all the time", nil, []string{"status", "--interval", "99ms"}, []string{"--interval", "100ms to 1h"}},
		{"looking never", nil, []string{"status", "--interval", "2h"}, []string{"--interval", "100ms to 1h"}},
		{"looking without unit", map[string]string{"FONDUE_INTERVAL": "1"}, []string{"status"}, []string{"FONDUE_INTERVAL", "write 1s"}},
		{"workers not a number", nil, []string{"--workers", "many"}, []string{"--workers", `"many"`, "whole number from 1"}},
		{"no workers", nil, []string{"--workers", "0"}, []string{"--workers", "from 1"}},
		{"fewer than none", nil, []string{"--workers=-1"}, []string{"--workers", "from 1"}},
		{"more workers than slots", nil, []string{"--workers", "9", "--max-workers", "8"}, []string{"--workers", "--max-workers 9"}},
		{"join and fresh", nil, []string{"--join", "--fresh"}, []string{"--join", "--fresh", "one of them"}},
		{"user unknown", nil, []string{"--user", "no-such-user"}, []string{"--user", `"no-such-user"`, "/etc/passwd"}},
		{"group unknown", nil, []string{"--group", "no-such-group"}, []string{"--group", `"no-such-group"`, "/etc/group"}},
		{"group without user", nil, []string{"--group", "65522"}, []string{"--group", "--user"}},
		{"CPUs without meaning", nil, []string{"--cpu-affinity", "all"}, []string{"--cpu-affinity", `"all"`, "0,2,4-7"}},
		{"CPU that is not there", map[string]string{"FONDUE_CPU_AFFINITY": "1023"}, nil, []string{"--cpu-affinity", "CPU 1023", "it may use 0"}},
		{"steering by nothing known", nil, []string{"--steer", "rss"}, []string{"--steer", "hash, cpu"}},
		{"steering one socket", nil, []string{"--steer", "cpu", "--accept", "shared"}, []string{"--steer cpu", "--accept shared", "leave one"}},
		{"steering Unix sockets", map[string]string{"FONDUE_STEER": "cpu"}, []string{"--listen", "unix:/x"}, []string{"--steer cpu", "TCP addresses of --listen"}},
		{"policy that is not offered", nil, []string{"--sched-policy", "fifo"}, []string{"--sched-policy", "other, batch"}},
		{"switch with a value", nil, []string{"--join=perhaps"}, []string{"--join", "true nor false"}},
		{"port alone", nil, []string{"--listen", "8000"}, []string{"--listen", ":8000"}},
		{"path alone", nil, []string{"--listen", "/run/x"}, []string{"--listen", "unix:/run/x"}},
		{"URL", nil, []string{"--listen", "http://h:80/"}, []string{"--listen", "write h:80"}},
		{"port too high", nil, []string{"--listen", "h:70000"}, []string{"--listen", "65535"}},
		{"empty socket path", nil, []string{"--listen", "unix:"}, []string{"--listen", "unix:/"}},
		{"address twice", nil, []string{"--listen", ":1", "--listen", ":1"}, []string{"--listen", "twice"}},
		{"accept", nil, []string{"--accept", "both"}, []string{"--accept", "reuseport, shared"}},
		{"size without meaning", nil, []string{"--region-size", "big"}, []string{"--region-size", "32MiB"}},
		{"size of two meanings", nil, []string{"--region-size", "64MB"}, []string{"--region-size", "64MiB", "64000000"}},
		{"size too small", nil, []string{"--region-size", "4KiB"}, []string{"--region-size", "1MiB"}},
		{"empty region", nil, []string{"--region", ""}, []string{"--region", "empty"}},
		{"time without unit", nil, []string{"--shutdown-timeout", "5"}, []string{"--shutdown-timeout", "5s"}},
		{"time below nothing", nil, []string{"--shutdown-timeout", "-5s"}, []string{"--shutdown-timeout"}},
		{"hanging for less than it takes", nil, []string{"--hang-timeout", "999ms"}, []string{"--hang-timeout", "1s or more", "0s"}},
		{"hanging below nothing", nil, []string{"--hang-timeout", "-1s"}, []string{"--hang-timeout", "1s or more"}},
		{"log format", nil, []string{"--log-format", "xml"}, []string{"--log-format", "text, json"}},
		{"log level", nil, []string{"--log-level", "loud"}, []string{"--log-level", "debug, info, warn, error"}},
		{"args not JSON", nil, []string{"--args", "{a:1}"}, []string{"--args", "JSON"}},
		{"args an array", nil, []string{"--args", "[1]"}, []string{"--args", "object"}},
		{"args file missing", nil, []string{"--args", "@/nowhere/x"}, []string{"--args", "/nowhere/x", "no such file"}},
		{"args file bad", nil, []string{"--args", "@" + file("a", "{\n\"a\": }")}, []string{"--args", "line 2"}},
		{"args too large", nil, []string{"--args", "@" + file("b", `{"a":"`+strings.Repeat("x", 1<<20)+`"}`)}, []string{"--args", "1048584 bytes", "1048576", "raise --max-value"}},
		{"args larger than values may be", nil, []string{"--max-value", "1KiB", "--args", `{"a":"` + strings.Repeat("x", 1024) + `"}`}, []string{"--args", "1024", "raise --max-value"}},
		{"preload missing", nil, []string{"--preload", "/nowhere/x"}, []string{"--preload", "/nowhere/x", "no such file"}},
		{"preload not JSON", nil, []string{"--preload", file("c", `{"ok":1,"name":tru}`)}, []string{"--preload", "line 1"}},
		{"preload too large", nil, []string{"--max-value", "1024", "--preload", file("d", `{"ok":1,"big":"`+strings.Repeat("x", 1023)+`"}`)}, []string{"--preload", `"big"`, "1025 bytes", "raise --max-value"}},
		{"eviction", nil, []string{"--evict", "lru"}, []string{"--evict", "none, clock"}},
		{"fast lane", nil, []string{"--fast-lane", "maybe"}, []string{"--fast-lane", "on, off"}},
		{"values too small", nil, []string{"--max-value", "1000"}, []string{"--max-value", "1KiB to 64MiB"}},
		{"values too large", nil, []string{"--max-value", "65MiB"}, []string{"--max-value", "1KiB to 64MiB"}},
		{"values of no size", map[string]string{"FONDUE_MAX_VALUE": "1M"}, nil, []string{"FONDUE_MAX_VALUE", "1MiB"}},
		{"variable", map[string]string{"FONDUE_WORKERS": "x"}, nil, []string{"FONDUE_WORKERS", `"x"`}},
		{"variable of a list", map[string]string{"FONDUE_LISTEN": ":1,8000"}, nil, []string{"FONDUE_LISTEN", `"8000"`}},
		{"variable and flag", map[string]string{"FONDUE_FRESH": "1"}, []string{"--join"}, []string{"--join", "--fresh"}},
		{"check's flag", nil, []string{"check", "--workers", "3"}, []string{"--workers", "fondue check --help"}},
		{"check's path", nil, []string{"check", "/x"}, []string{`"/x"`, "fondue check"}},
		{"dump's path", nil, []string{"dump", "/x"}, []string{`"/x"`, "flags only", "fondue dump"}},
		{"dump's flag", nil, []string{"dump", "--if-absent"}, []string{"--if-absent", "fondue dump --help"}},
		{"dump's prefix", nil, []string{"dump", "--prefix", strings.Repeat("k", 513)}, []string{"--prefix", "512"}},
		{"load's second file", nil, []string{"load", "a", "b"}, []string{`"b"`, "one FILE"}},
		{"load's values", nil, []string{"load", "--max-value", "2GiB", "a"}, []string{"--max-value", "64MiB"}},
		{"load's region", nil, []string{"load", "--region-size", "1KiB", "a"}, []string{"--region-size", "1MiB"}},
		{"load's variable", map[string]string{"FONDUE_IF_ABSENT": "perhaps"}, []string{"load"}, []string{"FONDUE_IF_ABSENT", "true nor false"}},
		{"version's word", nil, []string{"version", "--short"}, []string{`"--short"`}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := invoke(c.env, c.args...)
			if code != exitUsage || stdout != "" {
				t.Errorf("code %d, standard output %q; want %d and nothing", code, stdout, exitUsage)
			}
			if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "fondue: ") {
				t.Errorf("not one line of ours: %q", stderr)
			}
			for _, w := range c.want {
				if !strings.Contains(stderr, w) {
					t.Errorf("%q does not say %q", stderr, w)
				}
			}
		})
	}
}

// TestMaxValueIsEachOnesOwn: whoever sets it for a server learns that a load has
// another.
func TestMaxValueIsEachOnesOwn(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"serve", "load"} {
		code, stdout, _ := invoke(nil, command, "--help")
		if help := strings.Join(strings.Fields(stdout), " "); code != exitOK || !strings.Contains(help, "each process that shares a region has a limit of its own") {
			t.Errorf("%s: code %d, %s", command, code, stdout)
		}
	}
}

// TestOutputIsLost: an answer that could not be written is a failure.
func TestOutputIsLost(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	region := filepath.Join(t.TempDir(), "region")
	made, err := shm.Create(region, shm.Geometry{Size: 4 << 20, Slots: 4})
	if err != nil {
		t.Fatal(err)
	}
	store, _, err := made.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Set([]byte("key"), 1); err != nil {
		t.Fatal(err)
	}
	store.Detach()
	made.Close()
	for _, args := range [][]string{{"check", "--region", region}, {"status", "--interval", "100ms", "--region", region}, {"status", "--once", "--json", "--region", region}, {"dump", "--region", region}, {"version"}, {"--help"}} {
		var stderr bytes.Buffer
		p := process{stdout: full, stderr: &stderr, lookup: func(string) (string, bool) { return "", false }}
		if code := p.run(args); code != exitFailure || !strings.Contains(stderr.String(), "no space left") || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%v: code %d, %q", args, code, stderr.String())
		}
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"-h"}, {"help"}, {"serve", "--help"}, {"check", "--help"}, {"help", "check"}, {"status", "--help"}, {"dump", "--help"}, {"help", "load"}, {"load", "-h"}, {"version", "--help"}} {
		code, stdout, stderr := invoke(nil, args...)
		if code != exitOK || stderr != "" || !strings.Contains(stdout, "Usage: fondue") {
			t.Errorf("%v: code %d, %q, %q", args, code, stdout, stderr)
		}
		for line := range strings.Lines(stdout) {
			if len(line) > helpWidth+1 {
				t.Errorf("%v: a line of %d columns: %q", args, len(line), line)
			}
		}
	}
}

// TestHelpIsWhole: every flag with its variable.
func TestHelpIsWhole(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string]*flagSet{
		"serve": newServeOptions().flags(), "status": newStatusOptions().flags(), "dump": new(dumpOptions).flags(), "load": newLoadOptions().flags(),
	} {
		_, stdout, _ := invoke(nil, name, "--help")
		for _, g := range flags.groups {
			for _, o := range g.options {
				if !strings.Contains(stdout, "--"+o.name+" ") || !strings.Contains(stdout, "["+o.env()+"]") {
					t.Errorf("--%s or %s is not in the help of %s", o.name, o.env(), name)
				}
			}
		}
	}
	_, stdout, _ := invoke(nil, "--help")
	for _, c := range commands() {
		if !strings.Contains(stdout, c.name) {
			t.Errorf("%s is not in the help", c.name)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"version"}, {"--version"}} {
		code, stdout, _ := invoke(nil, args...)
		if code != exitOK || !strings.HasPrefix(stdout, "fondue ") || strings.Count(stdout, "\n") != 1 {
			t.Errorf("%v: code %d, %q", args, code, stdout)
		}
	}
}
