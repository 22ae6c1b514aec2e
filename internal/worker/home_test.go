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
			waitFor(t, "fasthttp to have the connection", func() bool { return s.conns.count() == 1 && s.lane.loop.Open() == 0 })
			for range []int{16, 32, 64}[visits] {
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

// visitor is a connection that is to go back to the lane with its next request.
func visitor(t *testing.T, s *testServer) *client {
	t.Helper()
	c := mustDial(t, s)
	if _, err := c.send(foreign); err != nil {
		t.Fatal(err)
	}
	for range patience(visit) - 1 {
		if _, err := c.send(increment); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// TestStays: a connection that cannot go back, because its worker leaves, is served on as
// it was: a client that is quiet, or goes, is told nothing, and a drain finds it quiet.
func TestStays(t *testing.T) {
	t.Parallel()
	s := newServerOf(t, "tcp", true)
	for name, end := range map[string]func(c *client){
		"goes":    func(c *client) { c.Close() },
		"is left": func(*client) { s.leaveQuiet(0) },
	} {
		c := visitor(t, s)
		s.moving.Lock() // so that the worker begins to leave when the connection is on its way
		if _, err := c.send(increment); err != nil {
			t.Fatal(err)
		}
		s.draining.Store(true)
		s.moving.Unlock()
		var stays *conn
		s.conns.each(func(c *conn) { stays = c })
		waitFor(t, "the connection to be quiet", func() bool { return stays.phase.Load() == idle })
		before := s.meters()
		end(c)
		waitFor(t, "the end of the connection", func() bool { return s.conns.count() == 0 })
		after := s.meters()
		if n := after.Answers.All() - before.Answers.All(); n != 0 {
			t.Errorf("one that %s has %d answers", name, n)
		}
		s.draining.Store(false)
		if n := s.lane.loop.Open(); n != 0 {
			t.Errorf("one that %s: the loop has %d", name, n)
		}
	}
}
