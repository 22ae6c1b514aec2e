package worker

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/handoff"
)

// hand sends a socket down the worker's lifeline.
func (p *process) hand(t *testing.T, socket int) {
	t.Helper()
	if err := unix.Sendmsg(int(p.lifeline.Fd()), []byte{handoff.LifelineSockets}, unix.UnixRights(socket), nil, 0); err != nil {
		t.Fatal(err)
	}
}

// queueOfAnother is a listening socket that nobody accepts from, and its address.
func queueOfAnother(t *testing.T) (addr string, socket int) {
	t.Helper()
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	other, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	socket = duplicate(t, other.(*net.TCPListener))
	t.Cleanup(func() {
		unix.Close(socket)
		other.Close()
	})
	return other.Addr().String(), socket
}

// TestAdoption: a worker serves what waits in the queue of a socket that it is
// handed, and none that comes later.
func TestAdoption(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, lane bool) {
		region, master := newRegion(t)
		p := spawn(t, region, master, lane, nil)
		p.awaitReady(t)
		addr, socket := queueOfAnother(t)
		hand := func() { p.hand(t, socket) }
		const waiting = 300
		for round := range 2 {
			var clients []*client
			for range waiting {
				c, err := dial("tcp", addr, 20*time.Second)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				clients = append(clients, c)
			}
			hand()
			for i, c := range clients {
				for n := range 2 { // the connection is kept
					if closing, err := c.send(increment); err != nil || closing {
						t.Fatalf("round %d, connection %d, request %d: closing %v, %v", round, i, n, closing, err)
					}
				}
			}
		}
		late, err := dial("tcp", addr, 20*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer late.Close()
		_ = late.SetDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := late.send(increment); err == nil {
			t.Error("a later one was answered")
		}
		if n := region.Slots()[0].Connections; n != 2*waiting {
			t.Errorf("%d connections are counted, want %d", n, 2*waiting)
		}
		p.lifeline.Close()
		if code := p.exit(t); code != handoff.ExitOK {
			t.Errorf("exit code %d", code)
		}
	})
}

// TestAdoptionOutOfDescriptors: what a worker has no descriptors for stays in the
// queue until it is asked again.
func TestAdoptionOutOfDescriptors(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, lane bool) {
		region, master := newRegion(t)
		p := spawn(t, region, master, lane, nil)
		p.awaitReady(t)
		addr, socket := queueOfAnother(t)
		p.limitDescriptors(t, 40)
		clients := make([]*client, 80)
		for i := range clients {
			c, err := dial("tcp", addr, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, increment); err != nil {
				t.Fatal(err)
			}
			clients[i] = c
		}
		answered := make(chan error)
		go func() { // ends with the clients
			defer close(answered)
			for _, c := range clients {
				if status, _, _, err := c.receive(); status != 200 || err != nil {
					answered <- fmt.Errorf("status %d, %v", status, err)
				}
				c.Close()
			}
		}()
		again := time.NewTicker(5 * time.Millisecond)
		defer again.Stop()
		for done := false; !done; {
			select {
			case <-again.C:
				p.hand(t, socket)
			case err, more := <-answered:
				if done = !more; more {
					t.Error(err)
				}
			}
		}
	})
}
