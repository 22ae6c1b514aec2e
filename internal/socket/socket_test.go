package socket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// constructors make a connection of one that the net package has accepted.
var constructors = map[string]func(net.Conn) (*Conn, error){
	"New": New,
	"Own": func(nc net.Conn) (*Conn, error) {
		fd, err := duplicate(nc)
		local, remote := nc.LocalAddr(), nc.RemoteAddr()
		if err := errors.Join(err, nc.Close()); err != nil {
			return nil, err
		}
		return Own(fd, local, remote)
	},
}

// duplicate is a descriptor of the same socket, which is the caller's.
func duplicate(nc net.Conn) (fd int, err error) {
	raw, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		return 0, err
	}
	if control := raw.Control(func(of uintptr) { fd, err = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 3) }); control != nil {
		return 0, control
	}
	return fd, err
}

// pair is a quiet connection and the plain one at its other end.
func pair(t testing.TB, network string, constructor func(net.Conn) (*Conn, error)) (*Conn, net.Conn) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c, err := constructor(nc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close(); c.Close() })
	return c, peer
}

// each runs a test over TCP and over a Unix socket, of each constructor.
func each(t *testing.T, test func(t *testing.T, c *Conn, peer net.Conn)) {
	t.Parallel()
	for _, network := range []string{"tcp", "unix"} {
		for name, constructor := range constructors {
			t.Run(network+"/"+name, func(t *testing.T) {
				t.Parallel()
				c, peer := pair(t, network, constructor)
				test(t, c, peer)
			})
		}
	}
}

// TestEcho: what is much more than the buffers hold goes both ways at once, in pieces
// of all sizes, and arrives as it was sent.
func TestEcho(t *testing.T) {
	each(t, func(t *testing.T, c *Conn, peer net.Conn) {
		text := make([]byte, 9<<20+17)
		for i := range text {
			text[i] = byte(i * i >> 7)
		}
		go func() { // ends with the end of the stream
			buffer := make([]byte, 200_000)
			for size := 1; ; size = size%len(buffer)*3 + 1 {
				n, err := c.Read(buffer[:min(size, len(buffer))])
				if n > 0 {
					if m, err := c.Write(buffer[:n]); m != n || err != nil {
						t.Errorf("wrote %d of %d: %v", m, n, err)
						return
					}
				}
				if err != nil {
					if err != io.EOF {
						t.Errorf("read: %v", err)
					}
					if err := c.CloseWrite(); err != nil {
						t.Error(err)
					}
					return
				}
			}
		}()
		go func() {
			_, _ = peer.Write(text) // what is lost of it is missed below
			_ = peer.(interface{ CloseWrite() error }).CloseWrite()
		}()
		back, err := io.ReadAll(peer)
		if err != nil || !bytes.Equal(back, text) {
			t.Errorf("%d bytes of %d came back, %v", len(back), len(text), err)
		}
	})
}

func TestDeadlines(t *testing.T) {
	each(t, func(t *testing.T, c *Conn, peer net.Conn) {
		buffer := make([]byte, 1<<20)
		_ = c.SetReadDeadline(time.Unix(1, 0))
		if n, err := c.Read(buffer); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %d, %v", n, err)
		}
		// One that comes while the read waits ends it.
		_ = c.SetReadDeadline(time.Time{})
		time.AfterFunc(10*time.Millisecond, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
		if n, err := c.Read(buffer); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read that waited: %d, %v", n, err)
		}
		_ = c.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
		sent := 0
		for { // until the peer, which reads nothing, can hold no more
			n, err := c.Write(buffer)
			if sent += n; err == nil {
				continue
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) || n == len(buffer) {
				t.Errorf("write: %d, %v", n, err)
			}
			break
		}
		// What was said to be written is there, and no more.
		c.Close()
		if n, err := io.Copy(io.Discard, peer); n != int64(sent) || err != nil {
			t.Errorf("%d bytes arrived of %d, %v", n, sent, err)
		}
	})
}

func TestReadNow(t *testing.T) {
	each(t, func(t *testing.T, c *Conn, peer net.Conn) {
		buffer := make([]byte, 8)
		if n, ended := c.ReadNow(buffer); n != 0 || ended {
			t.Errorf("nothing was sent: %d, %v", n, ended)
		}
		if _, err := peer.Write([]byte("abc")); err != nil {
			t.Fatal(err)
		}
		peer.Close()
		if n, err := c.Read(buffer[:1]); n != 1 || err != nil { // it has arrived
			t.Fatal(n, err)
		}
		if n, ended := c.ReadNow(buffer); string(buffer[:n]) != "bc" || ended {
			t.Errorf("%q, %v", buffer[:n], ended)
		}
		for limit := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			n, ended := c.ReadNow(buffer)
			if n != 0 || ended || time.Now().After(limit) {
				if !ended || n != 0 {
					t.Errorf("after the end: %d, %v", n, ended)
				}
				break
			}
		}
		if n, err := c.Read(buffer); n != 0 || err != io.EOF {
			t.Errorf("after the end: %d, %v", n, err)
		}
		if n, err := c.Read(nil); n != 0 || err != nil {
			t.Errorf("into nothing: %d, %v", n, err)
		}
		c.Close()
		if n, ended := c.ReadNow(buffer); n != 0 || !ended {
			t.Errorf("when closed: %d, %v", n, ended)
		}
	})
}

// TestPeerIsGone: a write to nobody is an error, and no signal.
func TestPeerIsGone(t *testing.T) {
	each(t, func(t *testing.T, c *Conn, peer net.Conn) {
		peer.Close()
		var err error
		for limit := time.Now().Add(10 * time.Second); err == nil && time.Now().Before(limit); {
			_, err = c.Write([]byte("anybody?"))
		}
		if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("write: %v", err)
		}
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "write" {
			t.Errorf("write: %#v", err)
		}
	})
}

// TestCloseEndsWaits: Close from elsewhere ends a read and a write that wait.
func TestCloseEndsWaits(t *testing.T) {
	each(t, func(t *testing.T, c *Conn, _ net.Conn) {
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("read: %v", err)
			}
		})
		all.Go(func() {
			for {
				if _, err := c.Write(make([]byte, 1<<20)); err != nil {
					if !errors.Is(err, net.ErrClosed) {
						t.Errorf("write: %v", err)
					}
					return
				}
			}
		})
		time.Sleep(20 * time.Millisecond) // either order is right
		c.Close()
		all.Wait()
		if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write when closed: %v", err)
		}
		if err := c.CloseWrite(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("half close when closed: %v", err)
		}
	})
}

func TestNoSocket(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if c, err := New(a); err == nil {
		t.Errorf("%v was taken for a socket", c)
	}
}

// TestAddresses: both ends have those that the net package had for them.
func TestAddresses(t *testing.T) {
	each(t, func(t *testing.T, c *Conn, peer net.Conn) {
		if got, want := c.LocalAddr().String(), peer.RemoteAddr().String(); got != want {
			t.Errorf("local %s, want %s", got, want)
		}
		if got, want := c.RemoteAddr().String(), peer.LocalAddr().String(); got != want {
			t.Errorf("remote %s, want %s", got, want)
		}
	})
}

// TestClosedTwice: what is done to a connection that is closed fails as with the net
// package, and is done to nobody else's descriptor.
func TestClosedTwice(t *testing.T) {
	each(t, func(t *testing.T, c *Conn, _ net.Conn) {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{
			"close": c.Close(), "deadline": c.SetDeadline(time.Now()), "read deadline": c.SetReadDeadline(time.Now()),
			"write deadline": c.SetWriteDeadline(time.Now()),
			"control":        c.Control(func(uintptr) { t.Error("called with no descriptor") }),
		} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

// TestOwnRefuses: a descriptor that the poller cannot have is closed.
func TestOwnRefuses(t *testing.T) {
	if c, err := Own(-1, nil, nil); err == nil {
		t.Errorf("no descriptor: %v", c)
	}
	blocking, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(blocking[1])
	if c, err := Own(blocking[0], nil, nil); err == nil {
		t.Errorf("it blocks: %v", c)
	}
	if n, err := unix.Read(blocking[1], make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("the other end reads %d, %v", n, err)
	}
}

// TestOwnNeedsNoDescriptor: with all descriptors in use it takes over one of them.
func TestOwnNeedsNoDescriptor(t *testing.T) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[1])
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	c, err := Own(ends[0], nil, nil)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := unix.Write(ends[1], []byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 8)); n != 1 || err != nil {
		t.Error(n, err)
	}
}

func TestAllocatesNothing(t *testing.T) {
	for name, constructor := range constructors {
		t.Run(name, func(t *testing.T) { allocatesNothing(t, constructor) })
	}
}

func allocatesNothing(t *testing.T, constructor func(net.Conn) (*Conn, error)) {
	c, peer := pair(t, "tcp", constructor)
	out, in := []byte("0123456789"), make([]byte, 64)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := peer.Write(out); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(in); n != len(out) || err != nil {
			t.Fatal(n, err)
		}
		if _, err := c.Write(out); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(peer, in[:len(out)]); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a message each way", n)
	}
}
