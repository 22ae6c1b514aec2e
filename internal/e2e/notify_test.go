package e2e_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/e2e"
)

// TestServiceManager: what systemd would hear of a start, a reload, an upgrade and a stop,
// with its watchdog.
func TestServiceManager(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "notify") // short: a socket's path has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	// hear waits for a state, over signs of life.
	hear := func(want string) {
		t.Helper()
		_ = socket.SetReadDeadline(time.Now().Add(requestsLimit)) // a socket takes deadlines
		for buf := make([]byte, 4096); ; {
			n, err := socket.Read(buf)
			if err != nil {
				t.Fatalf("waiting for %s: %v", want, err)
			}
			state, _, _ := strings.Cut(string(buf[:n]), "\n")
			if state == want {
				return
			}
			if state != "WATCHDOG=1" {
				t.Fatalf("%q, want %s", buf[:n], want)
			}
		}
	}
	s := e2e.Start(t, e2e.Options{Env: []string{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=1000000"}})
	hear("READY=1")
	hear("WATCHDOG=1")
	hear("WATCHDOG=1")
	s.Signal(syscall.SIGHUP)
	hear("RELOADING=1")
	hear("READY=1")
	s.Upgrade()
	hear("RELOADING=1")
	hear(fmt.Sprintf("MAINPID=%d", s.PID)) // of the old master, whose last word it is
	hear("READY=1")
	hear("WATCHDOG=1")
	s.Signal(syscall.SIGTERM)
	hear("STOPPING=1")
	s.WantExit(0)
}
