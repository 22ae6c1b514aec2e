package master

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/listen"
	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
)

// makeRegion leaves a region in which key has the value.
func makeRegion(t *testing.T, cfg Config, key string, n int64) {
	t.Helper()
	region, err := shm.Create(cfg.Region, shm.Geometry{Size: cfg.RegionSize, Slots: cfg.MaxWorkers})
	if err != nil {
		t.Fatal(err)
	}
	defer region.Close()
	store, _, err := region.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Detach()
	if _, err := store.Set([]byte(key), n); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// beside are the names in the region's directory.
func beside(t *testing.T, cfg Config) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(cfg.Region))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// A start that is refused leaves the file as it was, and no other.
func TestRefusedStartTouchesNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	inUse := listen.Spec{Network: listen.TCP, Addr: taken.Addr().String()}
	for name, c := range map[string]struct {
		spoil func(*Config)
		file  func(good []byte) []byte
		want  error
		says  string
	}{
		"port in use":               {spoil: func(c *Config) { c.Listen = append(c.Listen, inUse) }, want: listen.ErrInUse, says: inUse.Addr},
		"port in use, fresh":        {spoil: func(c *Config) { c.Listen, c.Fresh = []listen.Spec{inUse}, true }, want: listen.ErrInUse},
		"access log in no place":    {spoil: func(c *Config) { c.AccessLog = c.Region + "/log" }, says: "--access-log"},
		"pid file in no place":      {spoil: func(c *Config) { c.PIDFile = "/proc/none/pid" }, says: "--pid-file"},
		"more workers than slots":   {spoil: func(c *Config) { c.Workers, c.MaxWorkers = 9, 9 }, says: "8 worker slots"},
		"foreign file":              {file: func([]byte) []byte { return []byte("#!/bin/sh\necho precious\n") }, want: shm.ErrNotRegion, says: "--region"},
		"foreign file, fresh":       {file: func([]byte) []byte { return bytes.Repeat([]byte("x"), 1<<20) }, spoil: func(c *Config) { c.Fresh = true }, want: shm.ErrNotRegion},
		"empty file":                {file: func([]byte) []byte { return nil }, says: "region"},
		"truncated":                 {file: func(b []byte) []byte { return b[:len(b)/2] }, want: shm.ErrTruncated, says: "--fresh"},
		"flipped bit of superblock": {file: func(b []byte) []byte { b[70] ^= 4; return b }, says: "region"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			makeRegion(t, cfg, "count", 7)
			if c.file != nil {
				if err := os.WriteFile(cfg.Region, c.file(content(t, cfg.Region)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if c.spoil != nil {
				c.spoil(&cfg)
			}
			before := content(t, cfg.Region)
			s := launch(t, cfg)
			err := s.over()
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error: %v", err)
			}
			if strings.Contains(s.log.String(), "worker is ready") {
				t.Errorf("a worker was started; log:\n%s", s.log)
			}
			if names := beside(t, cfg); len(names) != 1 {
				t.Errorf("left in the directory: %v", names)
			}
			if c.file != nil || errors.Is(err, listen.ErrInUse) {
				if !bytes.Equal(before, content(t, cfg.Region)) {
					t.Error("the file was changed")
				}
			} else if n := value(t, cfg.Region, "count"); n != 7 {
				t.Errorf("the region holds %d, want 7", n)
			}
		})
	}
}

func TestRefusedCreation(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*Config)
		want  error
	}{
		"no such directory": {func(c *Config) { c.Region += "/none/region" }, fs.ErrNotExist},
		"too small":         {func(c *Config) { c.RegionSize = 100 }, shm.ErrGeometry},
		"too large":         {func(c *Config) { c.RegionSize = 1 << 46 }, nil},
		"port in use":       {func(c *Config) { c.Listen[0].Addr = "192.0.2.1:0" }, unix.EADDRNOTAVAIL},
		"full at preload": {func(c *Config) {
			for i := range 200_000 {
				c.Preload = append(c.Preload, Preload{fmt.Sprintf("key %d", i), shm.IntegerValue(1)})
			}
		}, shm.ErrFull},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			cfg.RegionSize = 1 << 20
			dir := filepath.Dir(cfg.Region)
			c.spoil(&cfg)
			if err := launch(t, cfg).over(); err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("error: %v", err)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
				t.Errorf("left in the directory: %v, %v", entries, err)
			}
		})
	}
}

func TestPreloadThatDoesNotFitIsTakenOut(t *testing.T) {
	cfg := testConfig(t)
	cfg.RegionSize = 1 << 20
	makeRegion(t, cfg, "count", 7)
	cfg.Preload = []Preload{{"count", shm.IntegerValue(100)}}
	for i := range 200_000 {
		cfg.Preload = append(cfg.Preload, Preload{fmt.Sprintf("key %d", i), shm.IntegerValue(1)})
	}
	if err := launch(t, cfg).over(); !errors.Is(err, shm.ErrFull) {
		t.Errorf("error: %v", err)
	}
	region, err := shm.OpenReadOnly(cfg.Region)
	if err != nil {
		t.Fatal(err)
	}
	defer region.Close()
	if r := region.Check(); !r.OK() || r.Entries != 1 {
		t.Errorf("%d entries, want 1; %v", r.Entries, r.Violations)
	}
	if n := value(t, cfg.Region, "count"); n != 7 {
		t.Errorf("count is %d, want 7", n)
	}
}

func TestFresh(t *testing.T) {
	cfg := testConfig(t)
	makeRegion(t, cfg, "served", 7)
	cfg.Fresh = true
	s := launch(t, cfg)
	if _, n := ask(t, "tcp", s.addr()); n != 1 {
		t.Errorf("first count of a fresh region: %d", n)
	}
	// Not while a server uses it.
	if err := launch(t, cfg).over(); !errors.Is(err, shm.ErrInUse) {
		t.Errorf("fresh on a region in use: %v", err)
	}
	if _, n := ask(t, "tcp", s.addr()); n != 2 {
		t.Errorf("second count: %d", n)
	}
	if err := s.end(unix.SIGTERM); err != nil {
		t.Error(err)
	}
	names := beside(t, cfg)
	if len(names) != 2 || !strings.HasPrefix(names[1], "region.aside-") {
		t.Fatalf("files: %v", names)
	}
	if n := value(t, filepath.Join(filepath.Dir(cfg.Region), names[1]), "served"); n != 7 {
		t.Errorf("set aside: %d, want 7", n)
	}
}

func TestFreshThatFailsIsTakenBack(t *testing.T) {
	cfg := testConfig(t)
	makeRegion(t, cfg, "served", 7)
	cfg.Fresh = true
	cannotBoot := cfg
	cannotBoot.Environ = environ("cannot boot")
	tooLarge := cfg
	tooLarge.RegionSize = 1 << 46
	for _, bad := range []Config{cannotBoot, tooLarge} {
		s := launch(t, bad)
		if err := s.over(); err == nil {
			t.Error("started")
		}
		if log := s.log.String(); !strings.Contains(log, "was set aside\"") || !strings.Contains(log, "set aside is back") {
			t.Errorf("log:\n%s", log)
		}
		if names := beside(t, cfg); len(names) != 1 {
			t.Errorf("files: %v", names)
		}
		if n := value(t, cfg.Region, "served"); n != 7 {
			t.Errorf("the region holds %d, want 7", n)
		}
	}
}

// TestCreationWithoutAttachIsTakenBack: a new region that cannot be used is
// removed, and what was there before is back.
func TestCreationWithoutAttachIsTakenBack(t *testing.T) {
	cfg := testConfig(t)
	makeRegion(t, cfg, "served", 7)
	var log logLines
	cfg.Join = true // there is nobody to join in a region that was just made
	s := settler{cfg: &cfg, log: testLogger(&log), pause: func(time.Duration) error { return nil }}
	if _, err := s.create(func() (string, error) { return s.setAside("aside") }); !errors.Is(err, shm.ErrNoMaster) {
		t.Errorf("error: %v", err)
	}
	if names := beside(t, cfg); len(names) != 1 {
		t.Errorf("files: %v", names)
	}
	if n := value(t, cfg.Region, "served"); n != 7 {
		t.Errorf("the region holds %d, want 7", n)
	}
}

func TestFreshOverUnreadable(t *testing.T) {
	cfg := testConfig(t)
	makeRegion(t, cfg, "served", 7)
	if err := os.Truncate(cfg.Region, cfg.RegionSize/2); err != nil {
		t.Fatal(err)
	}
	cfg.Fresh = true
	f, err := os.OpenFile(cfg.Region, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: 4096, Len: 1}); err != nil {
		t.Fatal(err)
	}
	if err := launch(t, cfg).over(); !errors.Is(err, shm.ErrInUse) {
		t.Errorf("a damaged region that somebody holds: %v", err)
	}
	f.Close()
	s := launch(t, cfg)
	if _, n := ask(t, "tcp", s.addr()); n != 1 {
		t.Errorf("first count: %d", n)
	}
	if names := beside(t, cfg); len(names) != 2 {
		t.Errorf("files: %v", names)
	}
}

func TestAfterBootStartsEmpty(t *testing.T) {
	cfg := testConfig(t)
	var log logLines
	cfg.Log = testLogger(&log)
	for n := range int64(2) {
		makeRegion(t, cfg, "served", n+1)
		s := settler{cfg: &cfg, log: cfg.Log, pause: func(time.Duration) error { return nil }}
		tenancy, err := s.afterBoot()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tenancy.store.Get([]byte("served")); !errors.Is(err, shm.ErrNotFound) {
			t.Errorf("the new region is not empty: %v", err)
		}
		if kept := value(t, cfg.Region+".previous-boot", "served"); kept != n+1 {
			t.Errorf("kept: %d, want %d", kept, n+1)
		}
		if err := tenancy.leave(); err != nil {
			t.Error(err)
		}
		if err := os.Remove(cfg.Region); err != nil {
			t.Error(err)
		}
	}
	if !strings.Contains(log.String(), "starts empty") {
		t.Errorf("log:\n%s", &log)
	}
}

// The next start after a master was killed waits until its workers have left
// the region and the addresses, and finds every count.
func TestStartAfterMasterWasKilled(t *testing.T) {
	cfg := testConfig(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(environ(""), regionEnv+"="+cfg.Region)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	line := ""
	for scan := bufio.NewScanner(out); !strings.Contains(line, "msg=ready"); line = scan.Text() {
		if !scan.Scan() {
			t.Fatalf("the master ended: %v", scan.Err())
		}
	}
	_, port, ok := strings.Cut(line, "127.0.0.1:")
	if !ok {
		t.Fatalf("no address in %q", line)
	}
	port, _, _ = strings.Cut(port, "]")
	sock := listen.Spec{Network: listen.Unix, Addr: cfg.Region + ".sock"}
	if _, n := ask(t, "unix", sock.Addr); n != 1 {
		t.Errorf("first count %d", n)
	}
	other := testConfig(t)
	other.PIDFile = cfg.Region + ".pid"
	if err := launch(t, other).over(); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", cmd.Process.Pid)) {
		t.Errorf("start with the pid file of a running server: %v", err)
	}
	cfg.PIDFile = other.PIDFile
	cfg.Listen = []listen.Spec{sock, {Network: listen.TCP, Addr: "127.0.0.1:" + port}}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	s := launch(t, cfg)
	s.addr()
	// Looking whether anybody listens behind the socket file counts, too.
	if _, n := ask(t, "tcp", "127.0.0.1:"+port); n < 2 {
		t.Errorf("count after the death of the master: %d", n)
	}
	if err := s.end(unix.SIGTERM); err != nil {
		t.Error(err)
	}
}
