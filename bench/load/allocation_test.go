package load

import (
	"net"
	"sync/atomic"
	"testing"

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
		s.Load.Rate = 1e6 // one is due whenever it is asked for
		r, err := newRun(s)
		if err != nil {
			t.Fatal(err)
		}
		r.phase.Store(measuring)
		l := r.loops[0]
		for _, from := range []source{closedLoop{r}, openLoop{r, pacer(s.Load.Rate), new(atomic.Int64)}} {
			l.source = from
			l.resting.push(&l.all[0])
			step := func() {
				for before := l.requests; l.requests == before; {
					if !l.turn() || l.first != nil {
						t.Fatalf("%s: %v", workload, l.first)
					}
				}
			}
			step() // connects
			if n := testing.AllocsPerRun(500, step); n != 0 {
				t.Errorf("%s: %v allocations a request", workload, n)
			}
			l.all[0].hangUp()
			l.all[0].onTheWay = ring{places: l.all[0].onTheWay.places}
		}
		r.close()
	}
}
