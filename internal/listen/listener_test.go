package listen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func open(t *testing.T, address string, slots int, mode Mode) *Listener {
	t.Helper()
	spec, err := ParseSpec(address)
	if err != nil {
		t.Fatal(err)
	}
	l, err := Open(spec, slots, mode)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// inherit makes a net.Listener of a slot's socket the way a worker does.
func inherit(t *testing.T, l *Listener, slot int) net.Listener {
	t.Helper()
	fd, err := unix.FcntlInt(uintptr(l.FD(slot)), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "listener")
	defer f.Close()
	nl, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nl.Close() })
	return nl
}

// loopbacks are the addresses to test with on this host.
func loopbacks(t *testing.T) []string {
	t.Helper()
	probe, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Log("no IPv6 loopback on this host: tested with IPv4 only")
		return []string{"127.0.0.1:0"}
	}
	probe.Close()
	return []string{"127.0.0.1:0", "[::1]:0"}
}

func dial(t *testing.T, l *Listener) net.Conn {
	t.Helper()
	c, err := net.Dial(l.Network(), l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestEachSlotServes(t *testing.T) {
	for _, address := range loopbacks(t) {
		const slots = 3
		l := open(t, address, slots-1, PerSlot)
		if err := l.Resize(slots); err != nil {
			t.Fatal(err)
		}
		if l.IsShared() {
			t.Error("per-slot listener says that it is shared")
		}
		served := make(chan int)
		for slot := range slots {
			nl := inherit(t, l, slot)
			go func() { // ends when the listener is closed at the end of the test
				for {
					c, err := nl.Accept()
					if err != nil {
						return
					}
					c.Close()
					served <- slot
				}
			}()
		}
		// Each connection falls on one of the slots by chance; 400 in a row that
		// miss one of them do not happen.
		missing := map[int]bool{0: true, 1: true, 2: true}
		for n := 0; len(missing) > 0; n++ {
			if n == 400 {
				t.Fatalf("%s: slots %v served none of %d connections", address, missing, n)
			}
			dial(t, l).Close()
			delete(missing, <-served)
		}
	}
}

// The master keeps the socket when a worker dies; what its queue holds is
// served by the next holder.
func TestQueueOutlivesWorker(t *testing.T) {
	for _, mode := range []Mode{PerSlot, Shared} {
		l := open(t, "127.0.0.1:0", 1, mode)
		dead := inherit(t, l, 0)
		client := dial(t, l)
		dead.Close()
		server, err := inherit(t, l, 0).Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		if _, err := server.Write([]byte("served")); err != nil {
			t.Fatal(err)
		}
		server.Close()
		if got, err := io.ReadAll(client); string(got) != "served" {
			t.Errorf("%s: queued connection got %q, %v", mode, got, err)
		}
	}
}

func TestSocketsStayNonBlocking(t *testing.T) {
	l := open(t, "127.0.0.1:0", 2, PerSlot)
	for slot := range 2 {
		inherit(t, l, slot)
		flags, err := unix.FcntlInt(uintptr(l.FD(slot)), unix.F_GETFL, 0)
		if err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("slot %d: flags %#x, %v", slot, flags, err)
		}
	}
}

func TestSharedHasOneSocket(t *testing.T) {
	l := open(t, "127.0.0.1:0", 4, Shared)
	if !l.IsShared() || l.FD(0) != l.FD(3) {
		t.Errorf("shared %v, descriptors %d and %d", l.IsShared(), l.FD(0), l.FD(3))
	}
}

func TestPortInUse(t *testing.T) {
	reusing := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		}), err)
	}}
	self := fmt.Sprintf("stop pid %d (", os.Getpid())
	for name, lc := range map[string]net.ListenConfig{"plain": {}, "SO_REUSEPORT": reusing} {
		other, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		for _, mode := range []Mode{PerSlot, Shared} {
			_, err := Open(Spec{TCP, other.Addr().String()}, 2, mode)
			if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), other.Addr().String()) || !strings.Contains(err.Error(), self) {
				t.Errorf("%s against another server (%s): %v", mode, name, err)
			}
		}
	}
	ours := open(t, "127.0.0.1:0", 2, PerSlot)
	if _, err := Open(Spec{TCP, ours.Addr()}, 2, PerSlot); !errors.Is(err, ErrInUse) {
		t.Errorf("against a second Fondue: %v", err)
	}
}

func TestPortIsFreeAgain(t *testing.T) {
	l := open(t, "127.0.0.1:0", 2, PerSlot)
	spec := Spec{TCP, l.Addr()}
	// A connection that the server ends first leaves TIME_WAIT on its port.
	c := dial(t, l)
	for slot := range 2 {
		if fd, _, err := unix.Accept(l.FD(slot)); err == nil {
			unix.Close(fd)
		}
	}
	io.ReadAll(c)
	c.Close()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(spec, 2, PerSlot)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

func TestAddressOfAnotherHost(t *testing.T) {
	// 192.0.2.0/24 is reserved for documentation.
	_, err := Open(Spec{TCP, "192.0.2.1:0"}, 1, PerSlot)
	if !errors.Is(err, unix.EADDRNOTAVAIL) || !strings.Contains(err.Error(), "192.0.2.1") {
		t.Errorf("error: %v", err)
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l := open(t, "unix:"+path, 2, PerSlot)
	if !l.IsShared() || l.FD(0) != l.FD(1) || l.String() != "unix:"+path {
		t.Errorf("shared %v, address %s", l.IsShared(), l)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != socketMode {
		t.Errorf("socket file: %v, %v", info.Mode(), err)
	}
	if _, err := Open(Spec{Unix, path}, 1, PerSlot); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), fmt.Sprintf("stop pid %d (", os.Getpid())) {
		t.Errorf("second server on a live socket: %v", err)
	}
	dial(t, l)
	if c, err := inherit(t, l, 1).Accept(); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("socket file after Close: %v", err)
	}
}

func TestStaleUnixSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	dial(t, open(t, "unix:"+path, 1, Shared))
}

func TestUnixPathOfOthersIsKept(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Spec{Unix, file}, 1, Shared); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file in the place of the socket: %v", err)
	}
	if _, err := Open(Spec{Unix, filepath.Join(dir, "none", "s")}, 1, Shared); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such directory: %v", err)
	}
	// A successor that replaced the file keeps it when this one leaves.
	path := filepath.Join(dir, "s")
	first := open(t, "unix:"+path, 1, Shared)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second := open(t, "unix:"+path, 1, Shared)
	if err := errors.Join(first.CloseDoor(), first.Close()); err != nil {
		t.Error(err)
	}
	dial(t, second)
}
