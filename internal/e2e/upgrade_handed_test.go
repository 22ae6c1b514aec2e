package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/fondue-server/fondue/internal/e2e"
)

// TestUpgradeOfPassedSockets: an heir serves what was passed to the master that
// it follows, and leaves it to the service manager like the first one.
func TestUpgradeOfPassedSockets(t *testing.T) {
	t.Parallel()
	for _, beside := range []string{"", "unix:" + t.TempDir() + "/s"} {
		socket, addr := activator(t, "tcp4", "127.0.0.1:0")
		o := e2e.Options{Sockets: []*os.File{socket}}
		want := []string{addr}
		if beside != "" {
			o.Listen, want = []string{beside, addr}, []string{addr, beside}
		}
		s := e2e.Start(t, o)
		load := e2e.StartLoad(t, addr, e2e.LoadOptions{KeepAlive: 6, NewConn: 4, Path: "/increment?key=k"})
		for range 2 {
			s.Upgrade()
			if !slices.Equal(s.Addrs, want) {
				t.Errorf("the heir listens on %v, want %v", s.Addrs, want)
			}
			pause(load)
		}
		load.Stop()
		wantNoFailure(t, load)
		wantExact(t, count(t, s, "k"), load)
		s.Stop()
		o.Region, o.Listen = s.Region, nil
		s = e2e.Start(t, o) // over the same socket
		wantExact(t, count(t, s, "k"), load)
		s.Stop()
	}
}

// TestUpgradeOfAnotherUser: an heir of a server that gave up root's rights has
// the sockets that it could not bind itself.
func TestUpgradeOfAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root may become another user")
	}
	own := ownedDir(t, testUID)
	pidFile := filepath.Join(own, "pid")
	s := e2e.Start(t, e2e.Options{
		Region: filepath.Join(own, "region"), Workers: 2, Listen: []string{privilegedPort(t), "unix:" + own + "/s"},
		Flags: []string{"--user", fmt.Sprint(testUID), "--group", fmt.Sprint(testGID), "--max-workers", "6", "--pid-file", pidFile},
	})
	load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 6, NewConn: 4, Path: "/increment?key=k"})
	for range 2 {
		s.Upgrade()
		wantIdentity(t, s.PID)
		for _, step := range []struct {
			signal  syscall.Signal
			workers int
		}{{syscall.SIGTTIN, 3}, {syscall.SIGTTOU, 2}} {
			s.Signal(step.signal)
			e2e.Eventually(t, requestsLimit, fmt.Sprintf("%d workers", step.workers), func() bool { return len(s.Children()) == step.workers && len(s.Workers()) == step.workers })
		}
		pause(load)
	}
	load.Stop()
	wantNoFailure(t, load)
	s.Stop()
	for _, gone := range []string{pidFile, filepath.Join(own, "s")} {
		if _, err := os.Lstat(gone); !os.IsNotExist(err) {
			t.Errorf("%s: %v", gone, err)
		}
	}
}
