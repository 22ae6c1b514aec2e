package master

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/listen"
	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
)

// logLines is a log that a test waits on.
type logLines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func testLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func testConfig(t *testing.T) Config {
	t.Helper()
	spec, err := listen.ParseSpec("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Settings: Settings{Workers: 2, LogLevel: "info", ShutdownTimeout: 5 * time.Second},
		Listen:   []listen.Spec{spec}, Accept: listen.PerSlot, MaxWorkers: 8,
		Region: filepath.Join(t.TempDir(), "region"), RegionSize: 4 << 20,
		LogFormat: "text", Log: slog.New(slog.DiscardHandler), Environ: environ(""),
	}
}

// server is a master that runs in this process, with real workers.
type server struct {
	t      *testing.T
	cfg    Config
	master *Master
	log    *logLines
	ended  chan error
}

// launch runs a master. Signals are given to its channel: those of the process
// belong to all tests.
func launch(t *testing.T, cfg Config) *server {
	t.Helper()
	s := &server{t: t, log: &logLines{}, ended: make(chan error, 1)}
	cfg.Log = testLogger(s.log)
	s.cfg = cfg
	var err error
	if s.master, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the master
		s.ended <- s.master.Run()
		close(s.ended)
	}()
	t.Cleanup(func() {
		s.master.signals <- unix.SIGQUIT
		for range s.ended {
		}
	})
	return s
}

func (s *server) waitLog(text string) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(s.log.String(), text); time.Sleep(time.Millisecond) {
		select {
		case err := <-s.ended:
			s.t.Fatalf("ended: %v; log:\n%s", err, s.log)
		default:
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("no %q in the log:\n%s", text, s.log)
		}
	}
}

func (s *server) end(sig os.Signal) error {
	s.t.Helper()
	s.master.signals <- sig
	return s.over()
}

func (s *server) over() error {
	s.t.Helper()
	select {
	case err := <-s.ended:
		return err
	case <-time.After(20 * time.Second):
		s.t.Fatalf("the master did not end; log:\n%s", s.log)
		return nil
	}
}

// addr is the first address in the ready line.
func (s *server) addr() string {
	s.t.Helper()
	s.waitLog("msg=ready")
	_, rest, _ := strings.Cut(s.log.String(), "msg=ready listen=")
	rest = strings.TrimLeft(rest, "\"[")
	if i := strings.IndexAny(rest, " ]"); i >= 0 {
		return rest[:i]
	}
	s.t.Fatalf("no address in the log:\n%s", s.log)
	return ""
}

// ask returns the pid that answered and the count it gave.
func ask(t *testing.T, network, addr string) (pid, count int) {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var failed string
	if _, err := fmt.Sscan(line, &pid, &count, &failed); err != nil || failed != "<nil>" {
		t.Fatalf("answer %q: %v", line, err)
	}
	return pid, count
}

func value(t *testing.T, path, key string) int64 {
	t.Helper()
	region, err := shm.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer region.Close()
	store, _, err := region.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Detach()
	n, err := store.Get([]byte(key))
	if err != nil && !errors.Is(err, shm.ErrNotFound) {
		t.Fatal(err)
	}
	return n
}

func TestRun(t *testing.T) {
	for _, mode := range []listen.Mode{listen.PerSlot, listen.Shared} {
		cfg := testConfig(t)
		cfg.Accept = mode
		cfg.PIDFile = filepath.Join(t.TempDir(), "pid")
		cfg.Preload = []Preload{{"served", shm.IntegerValue(100)}}
		cfg.Listen = append(cfg.Listen, listen.Spec{Network: listen.Unix, Addr: filepath.Join(t.TempDir(), "s")})
		s := launch(t, cfg)
		addr := s.addr()
		if b, err := os.ReadFile(cfg.PIDFile); err != nil || strings.TrimSpace(string(b)) != fmt.Sprint(os.Getpid()) {
			t.Errorf("pid file: %q, %v", b, err)
		}
		if _, n := ask(t, "tcp", addr); n != 101 {
			t.Errorf("first count %d, want 101", n)
		}
		victim, n := ask(t, "unix", cfg.Listen[1].Addr)
		if n != 102 {
			t.Errorf("second count %d, want 102", n)
		}
		if err := unix.Kill(victim, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.waitLog("end=SIGKILL")
		for i := range 50 {
			if pid, n := ask(t, "tcp", addr); n != 103+i || pid == victim {
				t.Fatalf("count %d of pid %d after the death of %d; log:\n%s", n, pid, victim, s.log)
			}
		}
		if err := s.end(unix.SIGTERM); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{cfg.PIDFile, cfg.Listen[1].Addr} {
			if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s after the end: %v", path, err)
			}
		}
		if n := value(t, cfg.Region, "served"); n != 152 {
			t.Errorf("the region holds %d, want 152", n)
		}
		// The next start finds the counts.
		s = launch(t, cfg)
		if _, n := ask(t, "tcp", s.addr()); n != 153 {
			t.Errorf("after a restart: %d, want 153", n)
		}
		if err := s.end(unix.SIGQUIT); err != nil {
			t.Error(err)
		}
	}
}

func TestRunDeafWorkersAreKilled(t *testing.T) {
	cfg := testConfig(t)
	cfg.ShutdownTimeout = 0
	cfg.Environ = environ("deaf")
	s := launch(t, cfg)
	s.addr()
	if err := s.end(unix.SIGTERM); err != nil {
		t.Error(err)
	}
	if !strings.Contains(s.log.String(), "did not finish in time") {
		t.Errorf("log:\n%s", s.log)
	}
}

func TestRunCannotBoot(t *testing.T) {
	cfg := testConfig(t)
	cfg.Environ = environ("cannot boot")
	if err := launch(t, cfg).over(); err == nil || !strings.Contains(err.Error(), "no such luck") {
		t.Errorf("error: %v", err)
	}
	if _, err := os.Stat(cfg.Region); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the region of a start that failed: %v", err)
	}
	cfg.Environ = environ("crash")
	if err := launch(t, cfg).over(); err == nil || !strings.Contains(err.Error(), "exit code 70") {
		t.Errorf("error: %v", err)
	}
}

func TestJoin(t *testing.T) {
	cfg := testConfig(t)
	join := cfg
	join.Join = true
	if err := launch(t, join).over(); !errors.Is(err, shm.ErrNoMaster) {
		t.Errorf("join to nobody: %v", err)
	}
	first := launch(t, cfg)
	a := first.addr()
	if err := launch(t, cfg).over(); !errors.Is(err, shm.ErrInUse) || !strings.Contains(err.Error(), "--join") {
		t.Errorf("second master without --join: %v", err)
	}
	second := launch(t, join)
	b := second.addr()
	_, one := ask(t, "tcp", a)
	_, two := ask(t, "tcp", b)
	if one != 1 || two != 2 {
		t.Errorf("counts %d and %d", one, two)
	}
	if err := first.end(unix.SIGTERM); err != nil {
		t.Error(err)
	}
	if _, n := ask(t, "tcp", b); n != 3 {
		t.Errorf("after the first left: %d", n)
	}
	third := launch(t, join)
	c := third.addr()
	if err := second.end(unix.SIGQUIT); err != nil {
		t.Error(err)
	}
	if _, n := ask(t, "tcp", c); n != 4 {
		t.Errorf("after the second left: %d", n)
	}
	if err := third.end(unix.SIGTERM); err != nil {
		t.Error(err)
	}
}
