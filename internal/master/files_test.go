package master

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
)

// TestFilesRefused: a path that cannot be right is refused at once, by its flag,
// and what is there stays.
func TestFilesRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(c *Config, dir string) error
		says  string
		value bool // the setting itself is wrong
	}{
		"pipe for the log": {func(c *Config, dir string) error {
			c.AccessLog = dir + "/x"
			return unix.Mkfifo(c.AccessLog, 0o600)
		}, "--access-log DIR/x: nobody reads this pipe", false},
		"directory for the log":    {func(c *Config, dir string) error { c.AccessLog = dir; return nil }, "--access-log DIR: it is a directory", true},
		"log in no directory":      {func(c *Config, dir string) error { c.AccessLog = dir + "/none/x"; return nil }, "--access-log DIR/none/x: no such file", false},
		"pipe for the pid":         {func(c *Config, dir string) error { c.PIDFile = dir + "/x"; return unix.Mkfifo(c.PIDFile, 0o600) }, "--pid-file DIR/x: it is a named pipe", true},
		"pid in no directory":      {func(c *Config, dir string) error { c.PIDFile = dir + "/none/x"; return nil }, "--pid-file DIR/none/x: no such file", false},
		"pipe for the region":      {func(c *Config, dir string) error { return unix.Mkfifo(c.Region, 0o600) }, "--region DIR/region: not a fondue region but a named pipe", false},
		"directory for the region": {func(c *Config, dir string) error { c.Region = dir; return nil }, "--region DIR: it is a directory", true},
		"link to nothing":          {func(c *Config, dir string) error { return os.Symlink(dir+"/none", c.Region) }, "--region DIR/region: it is a link to DIR/none", false},
		"log is the region":        {func(c *Config, dir string) error { c.AccessLog = dir + "/./region"; return nil }, "--access-log DIR/./region: it is the file of --region", true},
		"log is a link to the region": {func(c *Config, dir string) error {
			c.AccessLog = dir + "/log"
			return errors.Join(os.WriteFile(c.Region, []byte("text"), 0o600), os.Link(c.Region, c.AccessLog))
		}, "--access-log DIR/log: it is the file of --region", true},
		"pid file is the log": {func(c *Config, dir string) error { c.PIDFile, c.AccessLog = dir+"/x", dir+"/x"; return nil }, "--pid-file DIR/x: it is the file of --access-log", true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			dir := filepath.Dir(cfg.Region)
			if err := c.spoil(&cfg, dir); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			err = launch(t, cfg).over()
			if says := strings.ReplaceAll(c.says, "DIR", dir); err == nil || !strings.HasPrefix(err.Error(), says) {
				t.Errorf("error: %v\nwant: %s", err, says)
			}
			if value := new(ValueError); errors.As(err, &value) != c.value {
				t.Errorf("a wrong value: %v, want %v", !c.value, c.value)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("refused after %v", took)
			}
			if after, err := os.ReadDir(dir); err != nil || len(after) != len(before) {
				t.Errorf("files %v, before %v; %v", after, before, err)
			}
		})
	}
}

// A start that is refused late has changed nothing that others see.
func TestLateRefusalFillsNothing(t *testing.T) {
	cfg := testConfig(t)
	cfg.Workers, cfg.MaxWorkers = 2, 3
	cfg.Args = []byte(`{"of":"the first"}`)
	first := launch(t, cfg)
	first.addr()
	second := cfg
	second.Join = true
	second.Args = []byte(`{"of":"the second"}`)
	second.Preload = []Preload{{"new", shm.IntegerValue(1)}}
	second.PIDFile = cfg.Region + ".pid"
	if err := os.WriteFile(second.PIDFile, []byte("2147483000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := launch(t, second).over(); !errors.Is(err, shm.ErrNoSlot) {
		t.Errorf("more workers than free slots: %v", err)
	}
	if b, err := os.ReadFile(second.PIDFile); err != nil || string(b) != "2147483000\n" {
		t.Errorf("pid file %q, %v", b, err)
	}
	if names := beside(t, cfg); len(names) != 2 {
		t.Errorf("files %v", names)
	}
	store := first.master.tenancy.store
	if args, err := store.Args(nil); err != nil || string(args) != string(cfg.Args) {
		t.Errorf("arguments %s, %v", args, err)
	}
	if _, err := store.Get([]byte("new")); !errors.Is(err, shm.ErrNotFound) {
		t.Errorf("preloaded key: %v", err)
	}
	if err := first.end(unix.SIGTERM); err != nil {
		t.Error(err)
	}
}

// Counts that somebody relies on outlive a failure of the server that made the
// region.
func TestRegionOutlivesFailure(t *testing.T) {
	cfg := testConfig(t)
	s := launch(t, cfg)
	ask(t, "tcp", s.addr())
	if s.master.tenancy.restore != nil {
		t.Error("a failure would remove the region")
	}
	if err := s.end(unix.SIGTERM); err != nil {
		t.Error(err)
	}
}
