package master

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A region whose file is taken away is said to be, once for each change.
func TestWatchRegion(t *testing.T) {
	cfg := testConfig(t)
	s := launch(t, cfg)
	s.addr()
	aside := cfg.Region + ".aside"
	if err := os.Rename(cfg.Region, aside); err != nil {
		t.Fatal(err)
	}
	s.waitLog("file was removed")
	if err := os.WriteFile(cfg.Region, []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.waitLog("file was replaced")
	if err := os.Rename(aside, cfg.Region); err != nil {
		t.Fatal(err)
	}
	s.waitLog("back in its place")
	if err := s.end(unix.SIGTERM); err != nil {
		t.Error(err)
	}
	if n := strings.Count(s.log.String(), "level=ERROR"); n != 2 {
		t.Errorf("%d errors, want 2; log:\n%s", n, s.log)
	}
}
