package e2e_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/fondue-server/fondue/internal/e2e"
)

// A user and a group that no host has given to anybody.
const (
	testUID = 65521
	testGID = 65522
)

// ownedDir is a directory of the test's user, which it can reach.
func ownedDir(t *testing.T, uid int) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fondue-user-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, uid, uid); err != nil {
		t.Fatal(err)
	}
	return dir
}

// privilegedPort is a free one that only root may bind, where this host has such.
func privilegedPort(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil {
		t.Fatal(err)
	}
	first, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for port := first - 1; port > first-200 && port > 0; port-- {
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		if probe, err := net.Listen("tcp4", addr); err == nil {
			probe.Close()
			return addr
		}
	}
	t.Log("no privileged port is free: tested with one that is not privileged")
	return "127.0.0.1:0"
}

// wantIdentity asserts who a process is, and that it can be nobody else.
func wantIdentity(t *testing.T, pid int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.Join(strings.Fields(value), " ")
	}
	for name, want := range map[string]string{
		"Uid": "65521 65521 65521 65521", "Gid": "65522 65522 65522 65522", "Groups": "65522",
		"CapEff": "0000000000000000", "CapPrm": "0000000000000000",
	} {
		if fields[name] != want {
			t.Errorf("process %d: %s is %s, want %s", pid, name, fields[name], want)
		}
	}
}

func wantOwner(t *testing.T, path string, uid, gid uint32) {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil || st.Uid != uid || st.Gid != gid {
		t.Errorf("%s belongs to %d:%d, %v; want %d:%d", path, st.Uid, st.Gid, err, uid, gid)
	}
}

// TestUser: the server binds what only root may, becomes another user, and can
// do as such whatever it could before.
func TestUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root may become another user")
	}
	own, roots := ownedDir(t, testUID), ownedDir(t, 0)
	socket, pidFile, access := filepath.Join(own, "s"), filepath.Join(roots, "pid"), filepath.Join(roots, "access.log")
	o := e2e.Options{
		Workers: 1, Region: filepath.Join(own, "region"), Listen: []string{privilegedPort(t), "unix:" + socket},
		Flags: []string{"--user", fmt.Sprint(testUID), "--group", fmt.Sprint(testGID), "--pid-file", pidFile, "--access-log", access},
	}
	s := e2e.Start(t, o)
	if text, err := os.ReadFile(pidFile); err != nil || strings.TrimSpace(string(text)) != fmt.Sprint(s.PID) {
		t.Errorf("the pid file holds %q, %v", text, err)
	}
	wantOwner(t, s.Region, testUID, testGID)
	wantOwner(t, socket, testUID, testGID)
	wantOwner(t, pidFile, 0, 0)
	wantOwner(t, access, testUID, testGID)
	workers := func(n int) {
		t.Helper()
		e2e.Eventually(t, requestsLimit, fmt.Sprintf("%d workers that are ready", n), func() bool {
			ready := 0
			for _, w := range s.Workers() {
				if w.State == "ready" {
					ready++
				}
			}
			return ready == n && len(s.Children()) == n
		})
		wantIdentity(t, s.PID)
		for _, pid := range s.Children() {
			wantIdentity(t, pid)
		}
	}
	workers(1)
	load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 4, NewConn: 4, Path: "/increment?key=k"})
	for range 2 { // the second time over the sockets of the first
		s.OneMore()
		s.OneMore()
		workers(3)
		s.EachWorker()
		s.OneLess()
		workers(2)
		s.OneLess()
		workers(1)
	}
	s.Signal(syscall.SIGHUP)
	e2e.Eventually(t, requestsLimit, "the reload to end", func() bool { return strings.Contains(s.Log(), `"msg":"reloaded"`) })
	workers(1)
	pause(load)
	load.Stop()
	wantNoFailure(t, load)
	if strings.Contains(s.Log(), `"level":"ERROR"`) {
		t.Errorf("errors in the log:\n%s", s.Log())
	}
	s.Kill(s.Children()[0])
	workers(1)
	e2e.Do(t, "unix:"+socket, "GET", "/report?key=k", "").WantStatus(200)
	s.Signal(syscall.SIGUSR1) // the file is this user's
	e2e.Eventually(t, requestsLimit, "the log to be opened anew", func() bool { return strings.Contains(s.Log(), "logs reopened") })
	if err := os.Rename(access, access+".1"); err != nil {
		t.Fatal(err)
	}
	s.Signal(syscall.SIGUSR1) // and its directory is not
	e2e.Eventually(t, requestsLimit, "the log stays", func() bool { return strings.Contains(s.Log(), "logs stay as they are") })
	n := count(t, s, "k")
	s.Stop()
	if _, err := os.Lstat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket's file: %v", err)
	}
	if text, err := os.ReadFile(pidFile); err != nil || len(text) > 0 {
		t.Errorf("the pid file holds %q, %v: it could not be removed, and should be empty", text, err)
	}
	s = e2e.Start(t, o)
	if got := count(t, s, "k"); got != n {
		t.Errorf("%d after the restart, %d before", got, n)
	}
	s.KillMaster()
	s = e2e.Start(t, o)
	s.Stop()
}

// TestUserOfARootOwnedSocket: where the path of a Unix socket cannot be removed,
// a stop refuses clients, and the next start replaces it.
func TestUserOfARootOwnedSocket(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root may become another user")
	}
	own, socket := ownedDir(t, testUID), filepath.Join(ownedDir(t, 0), "s")
	for range 2 {
		s := e2e.Start(t, e2e.Options{
			Region: filepath.Join(own, "region"), Listen: []string{"unix:" + socket},
			Flags: []string{"--user", fmt.Sprint(testUID), "--group", fmt.Sprint(testGID)},
		})
		s.Get("/increment").WantStatus(200)
		s.Stop()
		if _, err := net.Dial("unix", socket); err == nil {
			t.Error("a client is let in after the stop")
		}
	}
}

// TestUserRefuses: what the user could not do is said before any worker starts.
func TestUserRefuses(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root may become another user")
	}
	roots := ownedDir(t, 0)
	made := e2e.Start(t, e2e.Options{Region: filepath.Join(roots, "made")})
	made.Stop()
	credential := func(uid uint32) *syscall.Credential { return &syscall.Credential{Uid: uid, Gid: uid} }
	own := ownedDir(t, testUID)
	for _, c := range []struct {
		name string
		as   *syscall.Credential
		args []string
		code int
		want []string
	}{
		{"nobody's region", nil, []string{"--user", "65521", "--group", "65522", "--region", made.Region}, 1, []string{made.Region, "permission denied", "--user"}},
		{"no right in the directory", nil, []string{"--user", "65521", "--group", "65522", "--region", roots + "/r"}, 1, []string{roots, "permission denied; make a directory"}},
		{"no group", nil, []string{"--user", "65521", "--region", own + "/r"}, 2, []string{"--user: 65521", "--group"}},
		{"root's group", nil, []string{"--user", "root", "--group", "65522", "--region", own + "/r"}, 2, []string{"--user root", "name another user"}},
		{"not root", credential(testUID), []string{"--user", "65520", "--group", "65522", "--region", own + "/r"}, 1, []string{"--user 65520", "only root", "as root"}},
	} {
		r := e2e.RunAs(t, c.as, append([]string{"--workers", "1", "--listen", "127.0.0.1:0"}, c.args...)...)
		if r.Code != c.code || strings.Count(r.Stderr, "fondue: ") != 1 {
			t.Errorf("%s: code %d, %q", c.name, r.Code, r.Stderr)
		}
		for _, want := range c.want {
			if !strings.Contains(r.Stderr, want) {
				t.Errorf("%s: %q does not say %q", c.name, r.Stderr, want)
			}
		}
	}
	if entries, err := os.ReadDir(own); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestUserSeesItsServer: the next server of the same user, which is not root,
// knows whose the pid file is.
func TestUserSeesItsServer(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root may become another user")
	}
	own := ownedDir(t, testUID)
	pidFile := filepath.Join(own, "pid")
	s := e2e.Start(t, e2e.Options{
		Region: filepath.Join(own, "region"),
		Flags:  []string{"--user", fmt.Sprint(testUID), "--group", fmt.Sprint(testGID), "--pid-file", pidFile},
	})
	r := e2e.RunAs(t, &syscall.Credential{Uid: testUID, Gid: testGID},
		"--workers", "1", "--listen", "127.0.0.1:0", "--region", filepath.Join(own, "other"), "--pid-file", pidFile)
	if want := fmt.Sprintf("belongs to the running server with pid %d", s.PID); r.Code != 1 || !strings.Contains(r.Stderr, want) {
		t.Errorf("code %d, %q", r.Code, r.Stderr)
	}
	s.Stop()
	if _, err := os.Lstat(pidFile); !os.IsNotExist(err) {
		t.Errorf("the pid file: %v", err)
	}
}

// TestUserCannotChange: an upgrade to another user is refused, and the pid file is
// the running server's still.
func TestUserCannotChange(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root may become another user")
	}
	dir := t.TempDir()
	pidFile, config := filepath.Join(dir, "pid"), filepath.Join(dir, "fondue.toml")
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := e2e.Start(t, e2e.Options{Config: config, Flags: []string{"--pid-file", pidFile}})
	if err := os.WriteFile(config, fmt.Appendf(nil, "user = '%d'\ngroup = '%d'\n", testUID, testGID), 0o600); err != nil {
		t.Fatal(err)
	}
	s.BeginUpgrade()
	e2e.Eventually(t, requestsLimit, "the upgrade to fail", func() bool { return strings.Contains(s.Log(), "upgrade failed") })
	if want := fmt.Sprintf("--user %d: the running server is another user", testUID); !strings.Contains(s.Log(), want) {
		t.Errorf("the log does not say %q:\n%s", want, s.Log())
	}
	if text, err := os.ReadFile(pidFile); err != nil || strings.TrimSpace(string(text)) != fmt.Sprint(s.PID) {
		t.Errorf("the pid file holds %q, %v; want %d", text, err, s.PID)
	}
	s.Get("/increment").WantStatus(200)
	s.Stop()
}

// TestUserOneself: a start that needs no right is one of an ordinary user.
func TestUserOneself(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{Flags: []string{"--user", fmt.Sprint(os.Geteuid()), "--group", fmt.Sprint(os.Getegid())}})
	s.Get("/increment").WantStatus(200)
	s.Stop()
}
