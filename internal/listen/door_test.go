package listen

import (
	"errors"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// echo answers one byte to each connection with that byte, until accept fails.
// The connections it took are finished when it returns.
func echo(nl net.Listener) {
	var conns sync.WaitGroup
	for {
		c, err := nl.Accept()
		if err != nil {
			break
		}
		conns.Go(func() {
			defer c.Close()
			if raw, err := c.(syscall.Conn).SyscallConn(); err == nil {
				raw.Control(func(fd uintptr) { Admit(int(fd)) }) // as a worker does while it drains
			}
			var b [1]byte
			if _, err := c.Read(b[:]); err == nil {
				c.Write(b[:])
			}
		})
	}
	conns.Wait()
}

// Whoever got a connection gets an answer, while clients go on connecting
// through the moment at which the door closes.
func TestCloseDoorLosesNobody(t *testing.T) {
	t.Run("as this user may", func(t *testing.T) {
		closeDoorUnderLoad(t, (*Listener).CloseDoor)
	})
	t.Run("without privileges", func(t *testing.T) {
		closeDoorUnderLoad(t, func(l *Listener) error {
			var all error
			for _, fd := range l.fds {
				domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
				all = errors.Join(all, err, requireHops(fd, domain, maxHops))
			}
			return all
		})
	})
}

func closeDoorUnderLoad(t *testing.T, closeDoor func(*Listener) error) {
	for _, address := range loopbacks(t) {
		const slots, clients = 2, 16
		l := open(t, address, slots, PerSlot)
		var listeners []net.Listener
		var servers sync.WaitGroup
		for slot := range slots {
			nl := inherit(t, l, slot)
			listeners = append(listeners, nl)
			servers.Go(func() { echo(nl) })
		}
		var answered, refused atomic.Int64
		var running sync.WaitGroup
		enough := make(chan struct{})
		deadline := time.Now().Add(20 * time.Second)
		for range clients {
			running.Go(func() {
				for time.Now().Before(deadline) {
					// Shorter than the retransmission of a SYN: a client that the
					// closed door keeps out never gets in.
					c, err := net.DialTimeout("tcp", l.Addr(), 500*time.Millisecond)
					if err != nil {
						refused.Add(1)
						return
					}
					var b [1]byte
					c.SetDeadline(time.Now().Add(10 * time.Second))
					if _, err := c.Write([]byte("x")); err != nil {
						t.Errorf("connected, not written: %v", err)
					} else if _, err := c.Read(b[:]); err != nil {
						t.Errorf("connected, not answered: %v", err)
					} else if answered.Add(1) == 500 {
						close(enough)
					}
					// A reset on close saves the host's ports from TIME_WAIT.
					c.(*net.TCPConn).SetLinger(0)
					c.Close()
				}
			})
		}
		<-enough
		if err := closeDoor(l); err != nil {
			t.Fatal(err)
		}
		running.Wait() // each client ends at the first connection it does not get
		for _, nl := range listeners {
			nl.Close()
		}
		servers.Wait()
		if refused.Load() != clients {
			t.Errorf("%s: %d of %d clients found the door closed", address, refused.Load(), clients)
		}
		t.Logf("%s: %d requests answered", address, answered.Load())
	}
}

func TestCloseDoorKeepsQueue(t *testing.T) {
	tcp := open(t, "127.0.0.1:0", 1, PerSlot)
	local := open(t, "unix:"+filepath.Join(t.TempDir(), "s"), 1, Shared)
	for _, l := range []*Listener{tcp, local} {
		dial(t, l)
		if err := CloseDoor(l.FD(0)); err != nil {
			t.Fatal(err)
		}
		c, err := inherit(t, l, 0).Accept()
		if err != nil {
			t.Errorf("%s: queued connection: %v", l, err)
			continue
		}
		c.Close()
	}
	if _, err := net.Dial("unix", local.Addr()); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("connect to a Unix socket behind its door: %v", err)
	}
	if _, _, err := unix.Accept(local.FD(0)); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("accept on an empty queue behind the door: %v", err)
	}
}

func TestCloseDoorOfSomethingElse(t *testing.T) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	if err := CloseDoor(p[0]); !errors.Is(err, unix.ENOTSOCK) {
		t.Errorf("a pipe: %v", err)
	}
}
