package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/e2e"
	"github.com/fondue-server/fondue/internal/shm"
)

// crashing is a server whose workers crash while a file is there, by its name:
// "boot", "request" and "second".
type crashing struct {
	*e2e.Server
	t   *testing.T
	dir string
}

func startCrashing(t *testing.T, workers int) *crashing {
	t.Helper()
	binary := buildChanged(t, changes{"internal/worker/server.go": {"func (s *server) handle(ctx *fasthttp.RequestCtx) {\n", `
func crashIf(seed string) {
	if _, err := os.Stat(os.Getenv("CRASH_SEEDS") + "/" + seed); err == nil {
		panic("seeded: " + seed)
	}
}

func (s *server) handle(ctx *fasthttp.RequestCtx) {
	crashIf("request")
`, "	\"log/slog\"\n", "	\"log/slog\"\n	\"os\"\n", "	go s.conns.sweep(s.stop)", `	crashIf("boot")
	go func() {
		for {
			time.Sleep(time.Second)
			crashIf("second")
		}
	}()
	go s.conns.sweep(s.stop)`}, "internal/worker/lane.go": {"func (l *lane) Step(c *loop.Conn, in, out []byte) (used int, reply []byte, next loop.Next) {\n", `
func (l *lane) Step(c *loop.Conn, in, out []byte) (used int, reply []byte, next loop.Next) {
	crashIf("request")
`}})
	c := &crashing{t: t, dir: t.TempDir()}
	c.Server = e2e.Start(t, e2e.Options{Workers: workers, Binary: binary, Env: []string{"CRASH_SEEDS=" + c.dir}})
	return c
}

func (c *crashing) sow(seed string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, seed), nil, 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *crashing) weed(seed string) {
	c.t.Helper()
	if err := os.Remove(filepath.Join(c.dir, seed)); err != nil {
		c.t.Fatal(err)
	}
}

// TestCrashAtBoot: while new workers crash before they serve, the others answer
// everything; a reload is given up; and when the cause is gone, all is as before.
func TestCrashAtBoot(t *testing.T) {
	t.Parallel()
	s := startCrashing(t, 3)
	region, err := shm.OpenReadOnly(s.Region)
	if err != nil {
		t.Fatal(err)
	}
	defer region.Close()
	load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 8, NewConn: 6, Path: "/increment?key=k", Identify: true})
	pause(load)
	s.sow("boot")
	victim := anyWorker(region)
	s.Kill(victim.PID)
	e2e.Eventually(t, requestsLimit, "several crashes", func() bool { return strings.Count(s.Log(), "seeded: boot") > 5 })
	s.Signal(syscall.SIGHUP)
	e2e.Eventually(t, requestsLimit, "the reload to be given up", func() bool { return strings.Contains(s.Log(), "reload is given up") })
	pause(load)
	s.weed("boot")
	e2e.Eventually(t, requestsLimit, "three workers", func() bool { return len(pids(region)) == 3 })
	pause(load)
	load.Stop()
	if n := load.Refused.Load() + load.Odd.Load(); n > 0 {
		t.Errorf("%d connects failed, or were answered oddly: %v", n, load.FirstError())
	}
	for pid, n := range load.BrokenOf() {
		if pid != 0 && pid != victim.PID {
			t.Errorf("%d connections of worker %d broke, which did not crash", n, pid)
		}
	}
	wantExact(t, count(t, s.Server, "k"), load)
	s.Stop()
}

// TestCrashAtTheFirstRequest: while every request crashes its worker, the master
// goes on starting others, ever more slowly; what was acknowledged is kept, and
// when the cause is gone, all is as before.
func TestCrashAtTheFirstRequest(t *testing.T) {
	t.Parallel()
	s := startCrashing(t, 2)
	load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 4, NewConn: 2, Path: "/increment?key=k"})
	pause(load)
	s.sow("request")
	e2e.Eventually(t, requestsLimit, "several crashes", func() bool { return strings.Count(s.Log(), "seeded: request") > 8 })
	s.weed("request")
	broken := load.Broken.Load()
	pause(load) // within the longest back-off, and more
	if broken == 0 {
		t.Error("no request was broken: no worker has crashed")
	}
	load.Stop()
	if n := load.Refused.Load() + load.Odd.Load(); n > 0 {
		t.Errorf("%d connects failed, or were answered oddly: %v", n, load.FirstError())
	}
	wantExact(t, count(t, s.Server, "k"), load)
	s.Stop()
}

// TestCrashEverySecond: workers that crash again and again cost their own
// connections, and nothing else.
func TestCrashEverySecond(t *testing.T) {
	t.Parallel()
	s := startCrashing(t, 3)
	load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 6, NewConn: 6, Path: "/increment?key=k"})
	s.sow("second")
	e2e.Eventually(t, time.Minute, "a dozen crashes", func() bool { return strings.Count(s.Log(), "seeded: second") >= 12 })
	pause(load)
	s.weed("second")
	pause(load)
	load.Stop()
	if n := load.Refused.Load() + load.Odd.Load(); n > 0 {
		t.Errorf("%d connects failed, or were answered oddly: %v", n, load.FirstError())
	}
	wantExact(t, count(t, s.Server, "k"), load)
	for _, want := range []string{`"msg":"worker died"`, `"end":"exit code 2"`, `"again_in":`} {
		if !strings.Contains(s.Log(), want) {
			t.Errorf("%s is not in the log", want)
		}
	}
	t.Logf("%d requests, %d broke", load.Acked.Load(), load.Broken.Load())
	s.Stop()
}
