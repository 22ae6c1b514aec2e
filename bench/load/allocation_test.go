package load

import (
	"net"
	"testing"
	"time"

	"github.com/fondue-server/fondue/bench/result"
)

// TestLoopAllocatesNothing: or the generator's garbage collector would be in the
// latencies.
func TestLoopAllocatesNothing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
	go func() { // ends with the listener
		buffer := make([]byte, 64<<10)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			for err == nil {
				if _, err = conn.Read(buffer); err == nil {
					_, err = conn.Write(answer)
				}
			}
			conn.Close()
		}
	}()
	for _, workload := range []string{"increment-zipf", "mixed", "put"} {
		s := usual(&counter{address: listener.Addr().String()}, func(l *result.Load) {
			l.Workload, l.Keys, l.Connections = workload, 1000, 1
			if workload == "put" {
				l.Bytes = 100
			}
		})
		r := newRun(s)
		r.phase.Store(measuring)
		c := &r.connections[0]
		arrivals := make(chan time.Duration, 1)
		for _, from := range []source{closedLoop{r}, openLoop{r, arrivals}} {
			c.source = from
			c.deadline = time.Now().Add(time.Minute)
			step := func() {
				if _, open := from.(openLoop); open {
					arrivals <- r.elapsed()
				}
				if !c.step() || c.first != nil {
					t.Fatalf("%s: %v", workload, c.first)
				}
			}
			step() // connects
			if n := testing.AllocsPerRun(500, step); n != 0 {
				t.Errorf("%s: %v allocations a request", workload, n)
			}
		}
		c.hangUp()
	}
}
