package worker

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/handoff"
)

// bareOver is a bare listener on an address of the network, and a descriptor of the
// same socket that a master would keep.
func bareOver(t *testing.T, network string, set *conns) (*bareListener, net.Addr, int) {
	t.Helper()
	addr := map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0", "unix": filepath.Join(t.TempDir(), "s")}[network]
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	nl, err := config.Listen(t.Context(), network, addr)
	if err != nil {
		t.Skip(err) // a host without IPv6
	}
	t.Cleanup(func() { nl.Close() })
	kept := duplicate(t, nl.(syscall.Conn))
	t.Cleanup(func() { unix.Close(kept) })
	family := strings.TrimRight(network, "46")
	b, err := inheritBare(handoff.Listener{FD: duplicate(t, nl.(syscall.Conn)), Network: family, Addr: nl.Addr().String(), Shared: true, Kept: true}, set)
	if err != nil {
		t.Fatal(err)
	}
	return b, nl.Addr(), kept
}

// TestBareListener: it is a door as that of the listener for fasthttp is.
func TestBareListener(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"tcp4", "tcp6", "unix"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			_, store := newStore(t)
			b, addr, kept := bareOver(t, network, newConns(store))
			if b.local.String() != addr.String() || b.local.Network() != addr.Network() || b.addr != addr.String() || !b.shared || !b.kept {
				t.Errorf("%+v", &b.door)
			}
			if flags, err := unix.FcntlInt(uintptr(b.fd), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 || err != nil {
				t.Errorf("descriptor flags %#x, %v", flags, err)
			}
			if flags, err := unix.FcntlInt(uintptr(kept), unix.F_GETFL, 0); flags&unix.O_NONBLOCK == 0 || err != nil {
				t.Errorf("flags %#x, %v", flags, err)
			}
			if !b.queueEmpty() {
				t.Error("somebody waits before anybody has come")
			}
			c, err := dial(addr.Network(), addr.String(), time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			waitFor(t, "somebody who waits", func() bool { return !b.queueEmpty() })
			if err := b.closeDoor(); err != nil {
				t.Fatal(err)
			}
			if c, err := dial(addr.Network(), addr.String(), 50*time.Millisecond); err == nil {
				c.Close()
				t.Error("the door is open")
			}
			fd, sa, err := unix.Accept4(b.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
			if got, want := netAddr(sa).String(), c.LocalAddr().String(); got != want {
				t.Errorf("from %s, want %s", got, want)
			}
			b.accepted.Store(time.Now().UnixNano())
			waitFor(t, "an empty queue", b.queueEmpty)

			if err := b.end(); err != nil {
				t.Fatal(err)
			}
			if err := b.end(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("closed twice: %v", err)
			}
			if err := b.closeDoor(); !errors.Is(err, net.ErrClosed) || !b.queueEmpty() {
				t.Errorf("the door of what is closed: %v", err)
			}
		})
	}
}

// TestDrainOfADoor: a drain looks at the queue of each door, and ends each.
func TestDrainOfADoor(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "tcp")
	b, addr, kept := bareOver(t, "tcp4", s.conns)
	b.shared = false
	s.doors = append(s.doors, &b.door)
	c, err := dial("tcp", addr.String(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	waitFor(t, "somebody who waits", func() bool { return !b.queueEmpty() })
	done := make(chan int)
	go func() { done <- s.drain(pace{window: time.Millisecond, timeout: time.Minute}, new(lifeline)) }()
	waitFor(t, "the drain", s.draining.Load)
	time.Sleep(10 * drainTick) // it goes on, as long as somebody waits
	select {
	case <-done:
		t.Fatal("somebody was left in the queue")
	default:
	}
	fd, _, err := unix.Accept(kept) // which asks the socket for more, when the drain may have closed its own
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	<-done
	if err := b.end(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the drain has not ended it: %v", err)
	}
}

// TestBareListenerRefuses: what cannot be accepted from is found at the start.
func TestBareListenerRefuses(t *testing.T) {
	t.Parallel()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for what, fd := range map[string]int{"does not listen": fd, "bad file descriptor": -1} {
		if _, err := inheritBare(handoff.Listener{FD: fd, Network: "tcp", Addr: "a:1"}, nil); err == nil || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), "a:1") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
