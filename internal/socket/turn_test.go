package socket

import (
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
)

// The test binary is also the client that sends without end.
const floodEnv = "SOCKET_TEST_FLOOD"

func TestMain(m *testing.M) {
	addr := os.Getenv(floodEnv)
	if addr == "" {
		os.Exit(m.Run())
	}
	text := make([]byte, 64<<10)
	var all sync.WaitGroup
	for range floods {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			panic(err)
		}
		all.Go(func() {
			for err := error(nil); err == nil; _, err = conn.Write(text) {
			}
		})
	}
	all.Wait()
}

const floods = 6

// TestTurns: of connections whose clients send without end, none keeps the only
// processor while the others are ready, too: each has its turn after a few reads.
func TestTurns(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client := exec.Command("/proc/self/exe")
	client.Env = append(os.Environ(), floodEnv+"="+l.Addr().String())
	client.Stderr = os.Stderr
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Wait() }() // the connections' end is its own
	// Fewer bytes than each client has sent at once: all have something to the end.
	const reads, size, enough = 3000, 64, 50
	var conns []*Conn
	var (
		all          sync.WaitGroup
		mu           sync.Mutex
		last         = -1
		run, longest int
		total        int
	)
	for range floods {
		nc, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		c, err := New(nc)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, size)); err != nil { // waits until there is something
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	for i, c := range conns {
		all.Go(func() {
			buffer := make([]byte, size)
			for {
				if _, err := c.Read(buffer); err != nil {
					if err != io.EOF {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				if run++; last != i {
					last, run = i, 1
				}
				total++
				longest = max(longest, run)
				done := total >= reads
				mu.Unlock()
				if done {
					return
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d reads of one connection in a row at the most", longest)
	if longest > enough {
		t.Errorf("%d reads of one connection in a row, %d is its turn", longest, turn)
	}
}
