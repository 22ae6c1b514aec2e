package e2e_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/e2e"
	"github.com/fondue-server/fondue/internal/shm"
)

// wantNoFailure asserts that every request and every connect went well.
func wantNoFailure(t *testing.T, load *e2e.Load) {
	t.Helper()
	if load.Broken.Load() > 0 || load.Odd.Load() > 0 || load.Refused.Load() > 0 {
		t.Errorf("%d broken, %d refused, %d odd: %v", load.Broken.Load(), load.Refused.Load(), load.Odd.Load(), load.FirstError())
	}
}

// TestUpgrades: one master after the other under load, and no request and no
// connect fails.
func TestUpgrades(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name, listen string
		flags        []string
	}{
		{"reuseport", "127.0.0.1:0", nil},
		{"reuseport, IPv6", loopback6(t), nil},
		{"shared", "127.0.0.1:0", []string{"--accept", "shared"}},
		{"unix", "unix:" + t.TempDir() + "/s", nil},
		{"few slots", "127.0.0.1:0", []string{"--max-workers", "4"}},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			upgrades := 5
			if testing.Short() {
				upgrades = 2
			}
			pidFile := filepath.Join(t.TempDir(), "pid")
			s := e2e.Start(t, e2e.Options{Workers: 3, Listen: []string{kind.listen}, Flags: append(kind.flags, "--pid-file", pidFile)})
			region, err := shm.OpenReadOnly(s.Region)
			if err != nil {
				t.Fatal(err)
			}
			defer region.Close()
			load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 16, NewConn: 6, Path: "/increment?key=k"})
			for range upgrades {
				before, master := pids(region), s.PID
				s.Upgrade()
				if s.PID == master {
					t.Fatal("the same master")
				}
				if text, err := os.ReadFile(pidFile); err != nil || strings.TrimSpace(string(text)) != fmt.Sprint(s.PID) {
					t.Errorf("pid file %q, %v; the master is %d", text, err, s.PID)
				}
				e2e.Eventually(t, requestsLimit, "three other workers", func() bool {
					now := pids(region)
					for pid := range now {
						if before[pid] {
							return false
						}
					}
					return len(now) == 3
				})
				pause(load)
			}
			load.Stop()
			wantNoFailure(t, load)
			wantExact(t, count(t, s, "k"), load)
			t.Logf("%d upgrades, %d requests, none failed", upgrades, load.Acked.Load())
			s.Signal(syscall.SIGHUP) // the new master does all that the first did
			e2e.Eventually(t, requestsLimit, "the reload to end", func() bool { return strings.Contains(s.Log(), `"msg":"reloaded"`) })
			s.Stop()
			if _, err := os.Stat(pidFile); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("pid file after the stop: %v", err)
			}
			if path, is := strings.CutPrefix(s.Addrs[0], "unix:"); is {
				if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("socket after the stop: %v", err)
				}
			}
		})
	}
}

// TestUpgradeIsBackedOut: a new program that does not become ready leaves the old
// one serving, whatever is wrong with it, and says why. The program before is put
// back in its place, and upgraded to.
func TestUpgradeIsBackedOut(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	s := e2e.Start(t, e2e.Options{Workers: 2, Binary: p.path})
	load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 8, NewConn: 4, Path: "/increment?key=k"})
	master := s.PID
	for _, c := range []struct{ name, file, reason string }{
		{"no program", p.write("\x7fELF, not really"), "exec format error"},
		{"not there", "/nonexistent/fondue", "no such file or directory"},
		{"another program", p.write("#!/bin/sh\nexit 3\n"), `"end":"exit code 3"`},
		{"dies", p.write("#!/bin/sh\nkill -SEGV $$\n"), `"end":"SIGSEGV"`},
		{"another layout", p.build("internal/shm/layout.go", "LayoutVersion = 3", "LayoutVersion = 4"), "another region layout"},
		{"its workers crash", p.build("internal/worker/worker.go", "signal.Ignore(syscall.SIGINT,", `panic("seeded"); signal.Ignore(syscall.SIGINT,`), "times before it was ready"},
		{"its workers cannot boot", p.build("internal/worker/worker.go", "region, store, err := attach(w)", `region, store, err := attach(w); err = errors.New("seeded")`), "worker cannot boot: seeded"},
	} {
		p.install(c.file)
		from := len(s.Log())
		s.BeginUpgrade()
		e2e.Eventually(t, requestsLimit, c.name+": the end of the upgrade", func() bool {
			return strings.Contains(s.Log()[from:], "this server goes on")
		})
		if log := s.Log()[from:]; !strings.Contains(log, c.reason) {
			t.Errorf("%s: %q is not in the log:\n%s", c.name, c.reason, log)
		}
		pause(load)
		if !s.Running() {
			t.Fatal("the master is gone")
		}
	}
	p.install(e2e.Binary(t))
	s.Upgrade()
	if s.PID == master {
		t.Error("the same master")
	}
	pause(load)
	load.Stop()
	wantNoFailure(t, load)
	wantExact(t, count(t, s, "k"), load)
	s.Stop()
}

// TestUpgradeSaysWhy: the reason for which a new program refuses its settings, or
// the region, is in the line that tells of the upgrade's end. After one that
// succeeds the log tells which version serves.
func TestUpgradeSaysWhy(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "fondue.toml")
	write := func(text string) {
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	s := e2e.Start(t, e2e.Options{Config: config})
	refused := func(reason string) {
		t.Helper()
		from := len(s.Log())
		s.BeginUpgrade()
		ended := func() (line string) {
			for line := range strings.Lines(s.Log()[from:]) {
				if strings.Contains(line, "this server goes on") && strings.HasSuffix(line, "\n") {
					return line
				}
			}
			return ""
		}
		e2e.Eventually(t, requestsLimit, "the end of the upgrade", func() bool { return ended() != "" })
		if line := ended(); !strings.Contains(line, reason) {
			t.Errorf("%q is not in %s", reason, line)
		}
		s.Get("/increment").WantStatus(200)
	}
	write("workers = 'x'\n")
	refused(config + ":1: workers: ")
	write("join = true\nfresh = true\n")
	refused("--join takes the content of a running server")
	write("")
	if err := os.Rename(s.Region, s.Region+".moved"); err != nil {
		t.Fatal(err)
	}
	refused("its file was removed")
	if err := os.Rename(s.Region+".moved", s.Region); err != nil {
		t.Fatal(err)
	}
	s.Upgrade()
	if want := fmt.Sprintf(`"pid":%d,"version":"`, s.PID); !strings.Contains(s.Log(), want) {
		t.Errorf("%s is not in the log:\n%s", want, s.Log())
	}
	s.Stop()
}

// TestKillsAroundAnUpgrade: whichever of the two masters is killed at whatever
// moment, one of them is in charge or none is left. What was acknowledged is
// there, and where somebody serves no connect fails.
func TestKillsAroundAnUpgrade(t *testing.T) {
	t.Parallel()
	rounds := 24
	if testing.Short() {
		rounds = 6
	}
	region, acked := t.TempDir()+"/region", int64(0)
	survived := map[string]int{}
	for n := range rounds {
		s := e2e.Start(t, e2e.Options{Workers: 2, Region: region})
		load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 6, NewConn: 3, Path: "/increment?key=k"})
		pause(load)
		s.BeginUpgrade()
		var heir int
		e2e.Eventually(t, requestsLimit, "the new master", func() bool {
			heir = s.Heir()
			return heir != 0
		})
		time.Sleep(time.Duration(rand.IntN(16_000)) * time.Microsecond)
		victim := []string{"old", "new"}[n%2]
		switch victim {
		case "old":
			s.KillMaster()
		case "new":
			s.KillHeir(heir)
		}
		who := s.Survivor(heir)
		survived[victim+" killed, "+who+" serves"]++
		if who != "nobody" {
			refused := load.Refused.Load()
			pause(load)
			if n := load.Refused.Load(); n > refused {
				t.Errorf("round %d, %s killed, %s serves: %d connects failed: %v", n, victim, who, n-refused, load.FirstError())
			}
		}
		load.Stop()
		acked += load.Acked.Load()
		if who != "nobody" {
			s.Stop()
		} else {
			s.WantNoOrphans(5 * time.Second)
		}
	}
	s := e2e.Start(t, e2e.Options{Workers: 2, Region: region})
	if got := count(t, s, "k"); got < acked {
		t.Errorf("count is %d, %d were acknowledged", got, acked)
	}
	s.Stop()
	t.Logf("%v, %d requests", survived, acked)
}
