package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fondue-server/fondue/internal/e2e"
)

// TestDiskIsFull: with no room for a line of the access log every request is
// answered all the same, and the server's log says that lines are lost. Once
// there is room again, USR1 goes on with the log.
func TestDiskIsFull(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "access.log")
	if err := os.Symlink("/dev/full", path); err != nil {
		t.Fatal(err)
	}
	s := e2e.Start(t, e2e.Options{Workers: 2, Flags: []string{"--access-log", path}})
	load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 8, NewConn: 4, Path: "/increment?key=k"})
	for range 5 {
		pause(load)
	}
	e2e.Eventually(t, requestsLimit, "the loss to be told", func() bool {
		return strings.Contains(s.Log(), "access log cannot be written, lines are lost") && strings.Contains(s.Log(), "no space left on device")
	})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	s.Signal(syscall.SIGUSR1)
	e2e.Eventually(t, requestsLimit, "lines in the new file", func() bool {
		b, err := os.ReadFile(path)
		return err == nil && len(b) > 0
	})
	load.Stop()
	wantNoFailure(t, load)
	wantExact(t, count(t, s, "k"), load)
	s.Stop()
}

// TestLogIsNotRead: a reader of the access log that stands still holds nobody up.
func TestLogIsNotRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "access.fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(path, os.O_RDWR, 0) // does not wait for a writer
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	s := e2e.Start(t, e2e.Options{Workers: 2, Flags: []string{"--access-log", path}})
	load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 8, NewConn: 4, Path: "/increment?key=k"})
	load.More(5000) // more than the pipe holds
	s.Signal(syscall.SIGHUP)
	e2e.Eventually(t, requestsLimit, "the reload to end", func() bool { return strings.Contains(s.Log(), `"msg":"reloaded"`) })
	load.More(1000)
	load.Stop()
	wantNoFailure(t, load)
	wantExact(t, count(t, s, "k"), load)
	s.Stop()
}
