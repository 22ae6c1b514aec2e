package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/listen"
	"github.com/fondue-server/fondue/internal/master"
)

// configure returns what serve would hand to the master.
func configure(t *testing.T, env map[string]string, args ...string) master.Config {
	t.Helper()
	lookup := func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	}
	c, _, err := newServeOptions().read(args, lookup)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := configure(t, nil)
	if c.Workers < 1 || c.Workers > c.MaxWorkers {
		t.Errorf("%d workers of %d", c.Workers, c.MaxWorkers)
	}
	c.Workers = 0
	want := master.Config{
		Listen: []listen.Spec{{Network: listen.TCP, Addr: "127.0.0.1:8000"}}, Accept: listen.PerSlot,
		MaxWorkers: 64, Region: "/dev/shm/fondue.region", RegionSize: 32 << 20, LogFormat: "text",
		Settings: master.Settings{FastLane: true, LogLevel: "info", ShutdownTimeout: 30 * time.Second, HangTimeout: 10 * time.Second},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v\nwant %+v", c, want)
	}
}

func TestFlagWinsOverVariable(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"FONDUE_WORKERS": "3", "FONDUE_LISTEN": "127.0.0.1:1, unix:/x", "FONDUE_REGION_SIZE": "64MiB",
		"FONDUE_JOIN": "true", "FONDUE_ARGS": `{"a": 1}`, "FONDUE_PID_FILE": "",
	}
	c := configure(t, env)
	specs := []listen.Spec{{Network: listen.TCP, Addr: "127.0.0.1:1"}, {Network: listen.Unix, Addr: "/x"}}
	if c.Workers != 3 || !slices.Equal(c.Listen, specs) || c.RegionSize != 64<<20 || !c.Join || string(c.Args) != `{"a":1}` || c.PIDFile != "" {
		t.Errorf("variables: %+v", c)
	}
	c = configure(t, env, "--workers", "5", "--listen", "[::1]:2", "--join=false", "--region-size", "2097152")
	if c := configure(t, map[string]string{"FONDUE_EVICT": "clock", "FONDUE_MAX_VALUE": "4MiB"}); !c.Evict || c.MaxValue != 4<<20 {
		t.Errorf("eviction and largest value: %+v", c)
	}
	if c := configure(t, map[string]string{"FONDUE_STEER": "cpu", "FONDUE_SCHED_POLICY": "batch"}); !c.SteerByCPU || c.SchedPolicy != master.SchedBatch {
		t.Errorf("steering and policy: %+v", c)
	}
	if c := configure(t, map[string]string{"FONDUE_FAST_LANE": "off"}); c.FastLane {
		t.Error("the fast lane is on")
	}
	if c.Workers != 5 || !slices.Equal(c.Listen, []listen.Spec{{Network: listen.TCP, Addr: "[::1]:2"}}) || c.RegionSize != 2<<20 || c.Join {
		t.Errorf("flags over variables: %+v", c)
	}
}

// TestWrongVariableIsIrrelevantUnderAFlag: what the flag decides is not read.
func TestWrongVariableIsIrrelevantUnderAFlag(t *testing.T) {
	t.Parallel()
	if c := configure(t, map[string]string{"FONDUE_WORKERS": "x"}, "--workers", "2"); c.Workers != 2 {
		t.Errorf("%d workers", c.Workers)
	}
}

func TestRepeatedListen(t *testing.T) {
	t.Parallel()
	c := configure(t, nil, "--listen", "127.0.0.1:0", "--listen=127.0.0.1:0", "--listen", "unix:/a,b")
	if len(c.Listen) != 3 || c.Listen[2].Addr != "/a,b" {
		t.Errorf("%v", c.Listen)
	}
}

// TestFewSlotsLowerTheDefault: only a number of workers that somebody asked for
// can be too high.
func TestFewSlotsLowerTheDefault(t *testing.T) {
	t.Parallel()
	if c := configure(t, nil, "--max-workers", "1"); c.Workers != 1 {
		t.Errorf("%d workers in 1 slot", c.Workers)
	}
}

func TestUnknownVariables(t *testing.T) {
	t.Parallel()
	got := newServeOptions().flags().unknownVariables([]string{
		"FONDUE_WORKER=4", "FONDUE_COLOUR=red", "FONDUE_WORKERS=4", "FONDUE_HANDOFF=x", "PATH=/bin", "NOT_FONDUE_X=1",
		"FONDUE_IF_ABSENT=1", "FONDUE_PREFIX=x", // of other commands
		"FONDUE_SERVICE_HOST=10.0.0.1", "FONDUE_PORT=tcp://10.0.0.1:80", "FONDUE_PORT_80_TCP=x",
	})
	if len(got) != 2 || !strings.HasPrefix(got[0], "FONDUE_COLOUR") || !strings.Contains(got[1], "did you mean FONDUE_WORKERS?") {
		t.Errorf("%q", got)
	}
}

func TestParseSize(t *testing.T) {
	t.Parallel()
	good := map[string]int64{
		"1": 1, "4096": 4096, "4096B": 4096, "1KiB": 1 << 10, "32MiB": 32 << 20, "32mib": 32 << 20,
		"1 GiB": 1 << 30, "2TiB": 2 << 40,
	}
	for text, want := range good {
		if n, err := parseSize(text); err != nil || n != want {
			t.Errorf("%q: %d, %v; want %d", text, n, err, want)
		}
	}
	for _, text := range []string{"", "0", "-1", "MiB", "1.5GiB", "32MB", "32M", "32k", "1PiB", "1iB", "1BB", "9999999999GiB", "99999999999999999999", "0x10", "1_000"} {
		if n, err := parseSize(text); err == nil {
			t.Errorf("%q passes as %d", text, n)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"workers", "worker", 1}, {"wokrers", "workers", 2}, {"abc", "xyz", 3}} {
		if got := edits(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
