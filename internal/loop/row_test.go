package loop

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestSharedQueue: a connection for which a process was woken that does not come is
// accepted by another.
func TestSharedQueue(t *testing.T) {
	t.Parallel()
	a := serve(t, long)
	a.Do(a.EndDoors)
	var both []*served
	for range 2 {
		fd, err := unix.FcntlInt(uintptr(a.door), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, serveOn(t, fd, long, true))
	}
	// The first is woken and does not accept, as one does that dies then.
	both[0].Do(func() { both[0].doors[0].ended = true })
	for range 10 { // whose turn it is goes round
		c := both[1].dial(t)
		c.send("x\n")
		c.expect("x\n")
	}
	if n := both[1].Open(); n < 10 {
		t.Errorf("%d connections are with the one that came", n)
	}
}

// TestLater: an input that cannot be answered now is, without another byte, and in its
// place.
func TestLater(t *testing.T) {
	t.Parallel()
	s := serve(t, long)
	c := s.dial(t)
	for range 3 {
		c.send("one\nlater\ntwo\nlater\n")
		c.expect("one\nlater\ntwo\nlater\n")
	}
}

// TestUrgentData: what comes after the mark of urgent data is read as what came before it.
func TestUrgentData(t *testing.T) {
	t.Parallel()
	s := serve(t, long)
	c := s.dial(t)
	c.send("zero\n")
	c.expect("zero\n")
	s.Do(func() {
		c.send("one\n")
		if err := unix.Sendto(c.fd, []byte("!"), unix.MSG_OOB, nil); err != nil {
			t.Error(err)
		}
		c.send("two\n")
	})
	c.expect("one\ntwo\n")
	c.send("three\n")
	c.expect("three\n")
}
