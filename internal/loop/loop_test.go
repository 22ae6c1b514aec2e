package loop

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	s := serve(t, long)
	c := s.dial(t)
	c.send("one\n")
	c.expect("one\n")
	c.send("two\nthree\nfo")
	c.expect("two\nthree\n")
	c.send("ur")
	c.send("\n")
	c.expect("four\n")
	eventually(t, "the counts", func() bool {
		all := int64(len("one\ntwo\nthree\nfour\n"))
		return s.received.Load() == all && s.sent.Load() == all
	})
	c.close()
	eventually(t, "the end of the connection", func() bool { return s.Open() == 0 && s.closed.Load() == 1 })
}

// TestEverySplit: wherever the input is split, the replies are the same.
func TestEverySplit(t *testing.T) {
	t.Parallel()
	s := serve(t, long)
	text := "a\nbb\nbig 3\nccc\n"
	want := "a\nbb\n\x00\x00\x00ccc\n"
	for i := range text {
		for j := i; j < len(text); j += 3 {
			c := s.dial(t)
			for _, piece := range []string{text[:i], text[i:j], text[j:]} {
				c.send(piece)
			}
			if err := unix.Shutdown(c.fd, unix.SHUT_WR); err != nil {
				t.Fatal(err)
			}
			c.expect(want)
			c.ends()
		}
	}
}

// TestPipelineBeyondTheBuffers: more than one read and one output hold, from a client
// that reads nothing until it has sent all.
func TestPipelineBeyondTheBuffers(t *testing.T) {
	t.Parallel()
	s := serve(t, long)
	c := s.dial(t)
	text := strings.Repeat("0123456789abcdef0123456789abcde\n", 8000) // 256,000 bytes
	sent := make(chan struct{})
	go func() { defer close(sent); c.send(text + "last\n") }() // ends with what is expected
	c.expect(text + "last\n")
}

// TestNeverReads: replies pile up within a bound, the others are served, and the client
// that reads at last gets all.
func TestNeverReads(t *testing.T) {
	t.Parallel()
	s := serve(t, long)
	c, other := s.dial(t), s.dial(t)
	const n = 3000
	ask := strings.Repeat("big 10000\n", n)
	c.send(ask)
	eventually(t, "replies that wait", func() bool {
		waits := 0
		s.Do(func() {
			for _, c := range s.conns {
				if c != nil {
					waits += len(c.out)
				}
			}
		})
		if waits > outputSize+10000 { // one output, and what its last reply is beyond it
			t.Fatalf("%d bytes wait", waits)
		}
		return waits > 0
	})
	for range 100 {
		other.send("x\n")
		other.expect("x\n")
	}
	c.expect(strings.Repeat("\x00", n*10000))
	c.send("y\n")
	c.expect("y\n")
}

func TestHandOver(t *testing.T) {
	t.Parallel()
	s := serve(t, long)
	c := s.dial(t)
	c.send("one\ntake this\nand that")
	c.expect("one\n")
	h := s.handed(t)
	if string(h.Input) != "take this\nand that" || h.Late || !h.Peer.Addr().IsLoopback() {
		t.Errorf("handed over: %+v", h)
	}
	eventually(t, "the loop to have none", func() bool { return s.Open() == 0 })
	if s.closed.Load() != 0 || s.accepted.Load() != 1 {
		t.Errorf("%d closed, %d accepted", s.closed.Load(), s.accepted.Load())
	}
	c.send("more")
	var b [10]byte
	eventually(t, "what was sent since", func() bool { n, _ := unix.Read(h.FD, b[:]); return n == 4 })
	if _, err := unix.Write(h.FD, []byte("reply")); err != nil {
		t.Fatal(err)
	}
	c.expect("reply")
}

// TestHandOverAfterTheReplies: the replies before it are sent, however slowly they are
// taken.
func TestHandOverAfterTheReplies(t *testing.T) {
	t.Parallel()
	s := serve(t, long)
	c := s.dial(t)
	c.send(strings.Repeat("big 60000\n", 200) + "take")
	c.send("\n")
	c.expect(strings.Repeat("\x00", 200*60000))
	if h := s.handed(t); string(h.Input) != "take\n" {
		t.Errorf("handed over: %q", h.Input)
	}
}

// TestClose: what follows the last request is not executed, and its reply arrives
// although the client has sent more.
func TestClose(t *testing.T) {
	t.Parallel()
	s := serve(t, long)
	c := s.dial(t)
	c.send("one\nclose\nnever\n")
	c.expect("one\nclose\n")
	c.ends()
	if n := s.steps.Load(); n != 2 {
		t.Errorf("%d steps", n)
	}
	c.send("and more\n") // is no reset: the loop reads on
	c.close()
	eventually(t, "the end of the connection", func() bool { return s.Open() == 0 })
}

// TestHalfClosed: a client that closes its side has its replies, and a request that it
// has not finished goes to who can say so.
func TestHalfClosed(t *testing.T) {
	t.Parallel()
	s := serve(t, long)
	c := s.dial(t)
	c.send(strings.Repeat("big 60000\n", 200))
	_ = unix.Shutdown(c.fd, unix.SHUT_WR)
	c.expect(strings.Repeat("\x00", 200*60000))
	c.ends()

	c = s.dial(t)
	c.send("whole\nhal")
	_ = unix.Shutdown(c.fd, unix.SHUT_WR)
	c.expect("whole\n")
	if h := s.handed(t); string(h.Input) != "hal" || h.Late {
		t.Errorf("handed over: %+v", h)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	brief := 300 * time.Millisecond
	t.Run("fresh", func(t *testing.T) {
		t.Parallel()
		limits := long
		limits.Read = brief
		s := serve(t, limits)
		s.dial(t).ends()
	})
	t.Run("partial", func(t *testing.T) {
		t.Parallel()
		limits := long
		limits.Read = brief
		s := serve(t, limits)
		c := s.dial(t)
		began := time.Now()
		sent := make(chan string, 1)
		go func() { // a byte now and then does not help; ends with the hand-over
			n := 0
			for s.Open() > 0 || n == 0 {
				c.send("x")
				n++
				time.Sleep(brief / 10)
			}
			sent <- strings.Repeat("x", n)
		}()
		h := s.handed(t)
		if all := <-sent; !h.Late || !strings.HasPrefix(all, string(h.Input)) || h.Began.Before(began) || time.Since(h.Began) < brief {
			t.Errorf("handed over after %v: %+v", time.Since(began), h)
		}
	})
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		limits := long
		limits.Idle = 2 * time.Second
		s := serve(t, limits)
		c := s.dial(t)
		// Busy for longer than the limit, and never quiet for nearly as long: where this
		// machine stood still meanwhile, another connection is.
		for last, end := time.Now(), time.Now().Add(3*limits.Idle); time.Now().Before(end); last = time.Now() {
			if time.Since(last) > limits.Idle/2 {
				c, end = s.dial(t), time.Now().Add(3*limits.Idle)
			}
			c.send("x\n")
			c.expect("x\n")
			time.Sleep(10 * time.Millisecond)
		}
		c.ends()
	})
	t.Run("replying", func(t *testing.T) {
		t.Parallel()
		limits := long
		limits.Write = brief
		s := serve(t, limits)
		c := s.dial(t)
		c.send(strings.Repeat("big 60000\n", 200))
		eventually(t, "the end of the connection", func() bool { return s.closed.Load() == 1 })
	})
	t.Run("closing", func(t *testing.T) {
		t.Parallel()
		limits := long
		limits.Linger = brief
		s := serve(t, limits)
		c := s.dial(t)
		c.send("close\nmore\n")
		c.expect("close\n")
		c.ends()
		eventually(t, "the end of the connection", func() bool { return s.closed.Load() == 1 })
	})
}

// TestLastLook: what has arrived while the loop was away is not late.
func TestLastLook(t *testing.T) {
	t.Parallel()
	limits := long
	limits.Idle, limits.Read = 3*time.Second, 3*time.Second // for what comes before Do, on a busy machine
	s := serve(t, limits)
	fresh, idle, partial := s.dial(t), s.dial(t), s.dial(t)
	idle.send("a\n")
	idle.expect("a\n")
	partial.send("b")
	eventually(t, "three connections", func() bool { return s.opened.Load() == 3 && s.received.Load() == 3 })
	s.Do(func() {
		for _, c := range []*client{fresh, idle} {
			c.send("late\n")
		}
		partial.send("late\n")
		time.Sleep(4 * time.Second)
	})
	fresh.expect("late\n")
	idle.expect("late\n")
	partial.expect("blate\n")
}

// TestShortage: without descriptors nobody is lost, and nobody waits longer than for
// the next that is free.
func TestShortage(t *testing.T) {
	s := serve(t, long)
	first := s.dial(t)
	first.send("x\n")
	first.expect("x\n")
	var all []int
	for { // all but the one of the client to come
		fd, err := unix.Dup(first.fd)
		if err != nil {
			break
		}
		if all = append(all, fd); len(all) > 2000 {
			break
		}
		if len(all) == 1 {
			var limit unix.Rlimit
			if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
				t.Fatal(err)
			}
			soft := limit
			soft.Cur = uint64(fd) + 100
			if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &soft); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) }()
		}
	}
	defer func() {
		for _, fd := range all {
			unix.Close(fd)
		}
	}()
	unix.Close(all[len(all)-1])
	all = all[:len(all)-1]
	c := s.dial(t) // takes the last
	if err := <-s.short; !errors.Is(err, unix.EMFILE) || !s.Starving() {
		t.Fatalf("short of: %v", err)
	}
	first.send("y\n")
	first.expect("y\n")
	for _, fd := range all[len(all)-2:] { // one more than needed: the next accept fails without one, too
		unix.Close(fd)
	}
	all = all[:len(all)-2]
	s.Freed()
	c.send("z\n")
	c.expect("z\n")
	if s.Starving() {
		t.Error("the door starves still")
	}
}

// TestLeave is the end of a loop that others wait for.
func TestLeave(t *testing.T) {
	t.Parallel()
	s := serve(t, long)
	quiet, begun, asks := s.dial(t), s.dial(t), s.dial(t)
	quiet.send("x\n")
	quiet.expect("x\n")
	begun.send("beg")
	asks.send("x\n")
	asks.expect("x\n")
	eventually(t, "the beginning", func() bool { return s.received.Load() == 7 })
	s.Do(func() {
		s.Leave()
		asks.send("close\nmore\n")
		s.LeaveQuiet(0)
		s.Hurry()
	})
	quiet.ends()
	asks.expect("close\n")
	asks.ends()
	if h := s.handed(t); !h.Late || string(h.Input) != "beg" {
		t.Errorf("handed over: %+v", h)
	}
	cut := 0
	s.Do(func() { cut = s.CloseAll() })
	if cut != 0 || s.Open() != 0 { // asks lingers, and has had its last reply
		t.Errorf("%d were cut, %d are open", cut, s.Open())
	}
}

func TestTicks(t *testing.T) {
	t.Parallel()
	s := serve(t, long)
	eventually(t, "ticks of an idle loop", func() bool { return s.counts.ticked.Load() >= 3 })
}

// TestManyConnections come and go on descriptors that are used again.
func TestManyConnections(t *testing.T) {
	t.Parallel()
	s := serve(t, long)
	for range 20 {
		var all []*client
		for range 40 {
			c := s.dial(t)
			c.send("x\n")
			all = append(all, c)
		}
		for _, c := range all {
			c.expect("x\n")
			c.close()
		}
	}
	eventually(t, "the end of all", func() bool { return s.Open() == 0 })
	if opened, closed := s.opened.Load(), s.closed.Load(); opened != 800 || closed != 800 {
		t.Errorf("%d opened, %d closed", opened, closed)
	}
}

// TestSizeOfAConnection: it is what docs/adr/0013-fast-lane.md says.
func TestSizeOfAConnection(t *testing.T) {
	if size := reflect.TypeFor[Conn]().Size(); size != 152 {
		t.Errorf("a connection has %d bytes", size)
	}
}
