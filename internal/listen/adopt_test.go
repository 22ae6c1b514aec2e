package listen

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// passed is a socket as another process would pass it on: a descriptor of our
// own, and blocking.
func passed(t *testing.T, network, address string) (fd int, bound string) {
	t.Helper()
	nl, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nl.Close() })
	f, err := nl.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err = unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd, nl.Addr().String()
}

// TestAdopt: a socket that was passed is served, by all, and neither the end of
// this server nor its doors are the end of it.
func TestAdopt(t *testing.T) {
	t.Parallel()
	for network, address := range map[string]string{"tcp4": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "s")} {
		fd, bound := passed(t, network, address)
		l, err := Adopt(fd)
		if err != nil {
			t.Fatal(err)
		}
		if !l.Kept() || !l.IsShared() || l.Addr() != bound || l.FD(0) != fd || l.FD(5) != fd {
			t.Errorf("%s: %+v", address, l)
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("%s: flags %#x, %v", address, flags, err)
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s: a child inherits it: %#x, %v", address, flags, err)
		}
		l.fds[0], err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3) // the cleanup closes fd
		if err := errors.Join(err, l.GiveTo(65501, 65502), l.CloseDoor(), l.Close()); err != nil {
			t.Error(err)
		}
		c, err := net.Dial(network, bound)
		if err != nil {
			t.Fatalf("after the end: %v", err)
		}
		c.Close()
	}
}

func TestAdoptRefuses(t *testing.T) {
	t.Parallel()
	socket := func(domain, kind int) int {
		fd, err := unix.Socket(domain, kind|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	abstract, _ := passed(t, "unix", "@fondue-"+filepath.Base(t.TempDir())+strings.ReplaceAll(t.TempDir(), "/", "-"))
	for name, c := range map[string]struct {
		fd   int
		want string
	}{
		"a file":        {int(null.Fd()), ErrNotListening.Error()},
		"closed":        {1 << 20, ErrNotListening.Error()},
		"datagrams":     {socket(unix.AF_INET, unix.SOCK_DGRAM), ErrNotListening.Error()},
		"not listening": {socket(unix.AF_INET, unix.SOCK_STREAM), ErrNotListening.Error()},
		"abstract":      {abstract, "no absolute path"},
	} {
		if l, err := Adopt(c.fd); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v", name, l, err)
		}
	}
}

func TestServes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	adopt := func(network, address string) *Listener {
		fd, _ := passed(t, network, address)
		l, err := Adopt(fd)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	path := filepath.Join(dir, "s")
	one, all, file := adopt("tcp4", "127.0.0.1:0"), adopt("tcp4", "0.0.0.0:0"), adopt("unix", path)
	if err := os.Symlink(dir, dir+"/link"); err != nil {
		t.Fatal(err)
	}
	port := func(l *Listener) string { return l.Addr()[strings.LastIndex(l.Addr(), ":"):] }
	for _, c := range []struct {
		l    *Listener
		spec string
		want bool
	}{
		{one, "127.0.0.1" + port(one), true},
		{one, "[::ffff:127.0.0.1]" + port(one), true},
		{one, "127.0.0.1:1", false},
		{one, "127.0.0.1:0", false},
		{one, port(one), false}, // it is less than what was asked for
		{all, port(all), true},
		{all, "0.0.0.0" + port(all), true},
		{all, "127.0.0.1" + port(all), false}, // and this would be more
		{all, "no.such.host.invalid" + port(all), false},
		{file, "unix:" + path, true},
		{file, "unix:" + dir + "/./s", true},
		{file, "unix:" + path + "2", false},
		{file, "127.0.0.1" + port(one), false},
	} {
		spec, err := ParseSpec(c.spec)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.l.Serves(spec); got != c.want {
			t.Errorf("%s serves %s: %v", c.l, c.spec, got)
		}
	}
}
