package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/fondue-server/fondue/internal/e2e"
)

// image is the options of a server that runs as the one of deploy/Dockerfile does:
// as pid 1 and an ordinary user, over a root that can only be read and holds but
// the binary, and a /dev/shm of 64 MiB. All of it is gone with the namespace.
func image(t *testing.T) e2e.Options {
	t.Helper()
	o := container(t)
	root := t.TempDir()
	o.Shell = fmt.Sprintf(`mount --make-rprivate /
mount -t tmpfs -o size=128m,mode=755 root '%[1]s'
cp "$0" '%[1]s/fondue'
cd '%[1]s'
mkdir -p dev/shm proc
: >dev/null
mount --bind /dev/null dev/null
mount -t tmpfs -o size=64m,mode=1777,nosuid,nodev,noexec shm dev/shm
mount -t proc proc proc
mount -o remount,ro '%[1]s'
exec chroot --userspec=65532:65532 --groups= '%[1]s' /fondue "$@"`, root)
	o.Region = "/dev/shm/fondue.region" // of the container: from here it is not to be seen
	o.Damaged = true
	return o
}

// TestImage: the static binary needs no more than what the image has.
func TestImage(t *testing.T) {
	t.Parallel()
	o := image(t)
	o.Flags = []string{"--region-size", "32MiB"}
	s := e2e.Launch(t, o)
	addr := ""
	e2e.Eventually(t, requestsLimit, "the server is ready", func() bool {
		for line := range strings.Lines(s.Log()) {
			var said struct {
				Message string   `json:"msg"`
				Listen  []string `json:"listen"`
			}
			if json.Unmarshal([]byte(line), &said) == nil && said.Message == "ready" {
				addr = said.Listen[0]
			}
		}
		return addr != "" || !s.Running()
	})
	if !s.Running() {
		t.Fatalf("it has ended:\n%s", s.Log())
	}
	for n := range 3 {
		e2e.Do(t, addr, "GET", "/increment", "").WantBody(fmt.Sprintf(`{"key":"count","count":%d}`, n+1))
	}
	for _, pid := range append(s.Children(), s.PID) {
		wantOwner(t, fmt.Sprintf("/proc/%d", pid), 65532, 65532)
	}
	for _, path := range []string{"/", "/dev", "/proc"} {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/root%s/new", s.PID, path), nil, 0o600); err == nil {
			t.Errorf("%s of the container can be written to", path)
		}
	}
	s.Signal(syscall.SIGHUP)
	e2e.Eventually(t, requestsLimit, "the reload to end", func() bool { return strings.Contains(s.Log(), `"msg":"reloaded"`) })
	e2e.Do(t, addr, "GET", "/report", "").WantStatus(200)
	s.Signal(syscall.SIGTERM)
	s.WantExit(0)
	if log := s.Log(); strings.Contains(log, `"level":"ERROR"`) || strings.Contains(log, `"level":"WARN"`) {
		t.Errorf("trouble in the log:\n%s", log)
	}
}

// TestImageWithoutRoom: a region that the container's /dev/shm has no room for is
// refused, and says what to do.
func TestImageWithoutRoom(t *testing.T) {
	t.Parallel()
	o := image(t)
	o.Flags = []string{"--region-size", "80MiB"}
	s := e2e.Launch(t, o)
	s.WantExit(1)
	for _, want := range []string{"83886080 bytes wanted", "/dev/shm has 67108864 free", "--region-size"} {
		if !strings.Contains(s.Log(), want) {
			t.Errorf("%q does not say %q", s.Log(), want)
		}
	}
}
