package worker

import (
	"testing"
	"time"
)

// foreign is a request that is none of the lane's.
const foreign = "GET /v1/region HTTP/1.1\r\nHost: test\r\n\r\n"

// TestGoesBack: a connection that fasthttp was handed is the loop's again after some
// requests that are the lane's, and nobody notices.
func TestGoesBack(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"tcp", "unix"} {
		s := newServerOf(t, network, true)
		c, err := dial(network, s.addr, 20*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		n := 0
		for visits := range 3 {
			if _, err := c.send(foreign); err != nil {
				t.Fatal(err)
			}
			if s.conns.count() != 1 || s.lane.loop.Open() != 0 {
				t.Fatalf("after it: %d connections are fasthttp's and %d the loop's", s.conns.count(), s.lane.loop.Open())
			}
			for range patience(uint32(visits+1) * visit) {
				if _, err := c.send(increment); err != nil {
					t.Fatal(err)
				}
				n++
			}
			waitFor(t, "the loop to have the connection", func() bool { return s.lane.loop.Open() == 1 && s.conns.count() == 0 })
			if slot := s.region.Slots()[0]; slot.Connections != 1 {
				t.Fatalf("%d connections are counted", slot.Connections)
			}
		}
		if _, err := c.send(increment); err != nil {
			t.Fatal(err)
		}
		if got, err := s.store.Get([]byte("count")); err != nil || got != int64(n+1) {
			t.Errorf("%d increments are %d: %v", n+1, got, err)
		}
		c.Close()
		waitFor(t, "the end of the connection", func() bool { return s.region.Slots()[0].Connections == 0 })
	}
}

// TestStaysInADrain: a connection that would go back while the worker leaves is ended
// where it is.
func TestStaysInADrain(t *testing.T) {
	t.Parallel()
	s := newServerOf(t, "tcp", true)
	c := mustDial(t, s)
	if _, err := c.send(foreign); err != nil {
		t.Fatal(err)
	}
	for range patience(visit) - 1 {
		if _, err := c.send(increment); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan int, 1)
	go func() { done <- s.drain(pace{window: 20 * time.Second, timeout: 30 * time.Second}, new(lifeline)) }()
	waitFor(t, "the drain", s.draining.Load)
	if closing, err := c.send(increment); err != nil || !closing {
		t.Errorf("closing %v, %v", closing, err)
	}
	c.Close()
	if cut := <-done; cut != 0 {
		t.Errorf("%d connections were cut", cut)
	}
}
