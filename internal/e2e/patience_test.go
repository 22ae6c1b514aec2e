package e2e_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/e2e"
)

// Of a server whose limits a test can wait for.
const (
	shortRead  = 6 * time.Second
	shortWrite = 3 * time.Second
)

// hasty is the server with those limits.
func hasty(t *testing.T) string {
	return buildChanged(t, changes{"internal/worker/server.go": {
		"readTimeout  = 30 * time.Second", fmt.Sprintf("readTimeout  = %d", shortRead),
		"writeTimeout = 30 * time.Second", fmt.Sprintf("writeTimeout = %d", shortWrite),
	}})
}

// TestTricklers: thousands of clients that send a byte of a header now and then cost
// the others nothing, and little memory. Each is told at the limit that it is too late.
func TestTricklers(t *testing.T) {
	t.Parallel()
	n := 2000
	if testing.Short() {
		n = 200
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil && files.Cur < uint64(2*n) {
		n = int(files.Cur / 2)
		t.Logf("only %d descriptors here: %d clients", files.Cur, n)
	}
	s := e2e.Start(t, e2e.Options{Workers: 2, Binary: hasty(t)})
	before := privateMemory(t, s)
	p := e2e.StartPipeline(t, s.Addrs[0], "p", 2, 1)
	var readers sync.WaitGroup
	var late, early, other atomic.Int64
	clients := make([]net.Conn, 0, n)
	for range n {
		c := dial(t, s.Addrs[0])
		if _, err := c.Write([]byte("GET /increment?key=slow HTTP/1.1\r\nHost: f\r\nX-Long: ")); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		clients = append(clients, c)
		readers.Go(func() {
			_ = c.SetReadDeadline(began.Add(shortRead + time.Minute))
			text, _ := io.ReadAll(c) // a reset may follow the answer
			switch {
			case !strings.HasPrefix(string(text), "HTTP/1.1 408 "):
				other.Add(1)
				t.Errorf("a trickler got %q after %v", text, time.Since(began))
			case time.Since(began) < shortRead-time.Second:
				early.Add(1)
			default:
				late.Add(1)
			}
		})
	}
	over := make(chan struct{})
	go func() { // until each has its answer
		defer close(over)
		readers.Wait()
	}()
	for trickling := true; trickling; {
		for _, c := range clients {
			_, _ = c.Write([]byte("x")) // some are refused by now
		}
		p.More(20)
		if late.Load() == 0 {
			// A kernel's page or two, a goroutine and its buffers where there is no loop.
			if grown := privateMemory(t, s) - before; grown > 16<<20+int64(n)*(64<<10) {
				t.Errorf("%d clients that have sent a hundred bytes cost %d KiB", n, grown>>10)
			}
		}
		select {
		case <-over:
			trickling = false
		case <-time.After(300 * time.Millisecond):
		}
	}
	t.Logf("%d of %d were told of it at the limit, %d earlier; %d others answered meanwhile", late.Load(), n, early.Load(), p.Acked.Load())
	if early.Load() > 0 {
		t.Errorf("%d were ended before the limit", early.Load())
	}
	p.More(200)
	p.Stop()
	p.WantExact(s, true)
	s.Get("/count?key=slow").WantBody("0") // no half request counts
	s.Stop()
}

// TestByteByByte: a request is what its bytes say, however they come.
func TestByteByByte(t *testing.T) {
	t.Parallel()
	eachDoor(t, func(t *testing.T, o e2e.Options) {
		s := e2e.Start(t, o)
		var clients sync.WaitGroup
		for i := range 60 {
			clients.Go(func() {
				c := dial(t, s.Addrs[0])
				defer c.Close()
				answers := bufio.NewReader(c)
				for n := 1; n <= 4 && !t.Failed(); n++ {
					requests := []struct{ text, want string }{
						{fmt.Sprintf("POST /increment?key=b%d HTTP/1.1\r\nHost: f\r\n\r\n", i), fmt.Sprintf(`{"key":"b%d","count":%d}`, i, n)},
						{fmt.Sprintf("GET /count?key=b%d HTTP/1.1\r\nHost: f\r\nContent-Length: 0\r\n\r\n", i), fmt.Sprint(n)},
					}
					if n == 3 { // from here on it is fasthttp's
						requests = append(requests, struct{ text, want string }{
							fmt.Sprintf("PUT /v1/keys/o%d HTTP/1.1\r\nHost: f\r\nContent-Length: 2\r\n\r\n{}", i), "{}",
						})
					}
					for _, r := range requests {
						for _, b := range []byte(r.text) {
							if _, err := c.Write([]byte{b}); err != nil {
								t.Errorf("%q: %v", r.text, err)
								return
							}
						}
						if got, _, err := readBody(answers); err != nil || r.want != "{}" && got != r.want {
							t.Errorf("%q: %q, %v, want %q", r.text, got, err, r.want)
							return
						}
					}
				}
			})
		}
		clients.Wait()
		s.Stop()
	})
}

// unreading are clients that send requests and leave the answers where they are: more
// than their sockets take, which is some 200 kB of a Unix socket and 4 MB of a loopback's.
type unreading struct {
	network        string
	clients, pairs int // of an increment and a value of 16 kB
}

var (
	unreadUnix = unreading{"unix", 100, 60}
	unreadTCP  = unreading{"tcp", 40, 320}
)

// unreader is one of them.
type unreader struct {
	net.Conn
	key   string
	pairs int
	sent  chan error
}

// TestUnreadReplies: clients that do not read what they have asked for cost the
// others nothing, and a bounded memory. Those that read on find every answer in its
// place, and each request was executed once.
func TestUnreadReplies(t *testing.T) {
	t.Parallel()
	for _, u := range []unreading{unreadTCP, unreadUnix} {
		t.Run(u.network, func(t *testing.T) {
			t.Parallel()
			s, value := startWithValue(t, u.network, "")
			before := privateMemory(t, s)
			clients := u.send(t, s)
			counted := pileUp(t, s, clients)
			grown := privateMemory(t, s) - before
			t.Logf("%d of %d requests executed before the replies were read, memory grown by %d KiB", counted, u.pairs*u.clients, grown>>10)
			if counted >= int64(u.pairs*u.clients) {
				t.Error("the server has answered without end")
			}
			if most := int64(len(clients)) * (1 << 20); grown > most {
				t.Errorf("more than %d KiB", most>>10)
			}
			p := e2e.StartPipeline(t, s.Addrs[0], "p", 4, pipelineDepth)
			p.More(500)
			p.Stop()
			p.WantExact(s, true)
			var readers sync.WaitGroup
			for _, c := range clients {
				readers.Go(func() {
					if n, err := c.readOn(value); err != nil || n != u.pairs {
						t.Errorf("%s: %d answers and then %v", c.key, n, err)
					}
					if err := <-c.sent; err != nil {
						t.Errorf("%s: %v", c.key, err)
					}
					c.Close()
				})
			}
			readers.Wait()
			for _, c := range clients {
				s.Get("/count?key=" + c.key).WantBody(fmt.Sprint(u.pairs))
			}
			s.Stop()
		})
	}
}

// TestUnreadRepliesEnd: who does not take his replies in time loses his connection,
// and finds those in it that were sent.
func TestUnreadRepliesEnd(t *testing.T) {
	t.Parallel()
	s, value := startWithValue(t, "unix", hasty(t))
	clients := unreadUnix.send(t, s)
	pileUp(t, s, clients)
	e2e.Eventually(t, time.Minute, "the connections to be closed", func() bool {
		open := 0
		for _, w := range s.Workers() {
			open += w.Connections
		}
		return open <= 1 // whoever asks
	})
	for _, c := range clients {
		n, _ := c.readOn(value)
		if got := count(t, s, c.key); got < int64(n) || got >= int64(c.pairs) {
			t.Errorf("%s: %d answers of %d", c.key, n, got)
		}
		<-c.sent
		c.Close()
	}
	s.Stop()
}

// startWithValue starts a server with a large value in it.
func startWithValue(t *testing.T, network, binary string) (*e2e.Server, string) {
	t.Helper()
	o := e2e.Options{Workers: 2, Binary: binary}
	if network == "unix" {
		o.Listen = []string{"unix:" + t.TempDir() + "/s"}
	}
	s := e2e.Start(t, o)
	value := `"` + strings.Repeat("v", 16_000) + `"`
	s.Do("PUT", "/v1/keys/value", value).WantStatus(http.StatusCreated)
	return s, value
}

// send connects the clients, which send at once.
func (u unreading) send(t *testing.T, s *e2e.Server) (clients []*unreader) {
	t.Helper()
	for i := range u.clients {
		c := &unreader{Conn: dial(t, s.Addrs[0]), key: fmt.Sprint("u", i), pairs: u.pairs, sent: make(chan error, 1)}
		clients = append(clients, c)
		pair := "POST /increment?key=" + c.key + " HTTP/1.1\r\nHost: f\r\n\r\nGET /v1/keys/value HTTP/1.1\r\nHost: f\r\n\r\n"
		go func() { // until all is sent, or the connection closed
			_, err := c.Write(bytes.Repeat([]byte(pair), c.pairs))
			c.sent <- err
		}()
	}
	return clients
}

// pileUp waits until no client's requests are executed any more, and tells how many
// were.
func pileUp(t *testing.T, s *e2e.Server, clients []*unreader) (counted int64) {
	t.Helper()
	client := e2e.Client(s.Addrs[0])
	defer client.CloseIdleConnections()
	since := time.Now()
	e2e.Eventually(t, time.Minute, "replies to pile up", func() bool {
		now, begun := int64(0), 0
		for _, c := range clients {
			n, _ := strconv.ParseInt(string(e2e.Ask(t, client, "GET", "/count?key="+c.key, "").Body), 10, 64)
			now += n
			begun += int(min(n, 1))
		}
		if now != counted || begun < len(clients) {
			since, counted = time.Now(), now
		}
		return time.Since(since) > 500*time.Millisecond
	})
	return counted
}

// readOn reads pairs of answers and returns how many there were.
func (c *unreader) readOn(value string) (pairs int, err error) {
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(1 << 20) // from now on fast
	}
	answers := bufio.NewReaderSize(c, 64<<10)
	for ; pairs < c.pairs; pairs++ {
		for _, want := range []string{fmt.Sprintf(`{"key":%q,"count":%d}`, c.key, pairs+1), value} {
			got, _, err := readBody(answers)
			if err != nil {
				return pairs, err
			}
			if got != want {
				return pairs, fmt.Errorf("%.80q, not %.80q", got, want)
			}
		}
	}
	return pairs, nil
}

// readBody reads one answer of 200 or 201.
func readBody(from *bufio.Reader) (body string, last bool, err error) {
	response, err := http.ReadResponse(from, nil)
	if err != nil {
		return "", false, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("%s", response.Status)
	}
	return strings.TrimSpace(string(text)), response.Close, err
}

// dial connects, and closes at the end of the test.
func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	network, target := e2e.Target(addr)
	small := net.Dialer{Timeout: requestsLimit, Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { // before the window is told
			_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
		})
	}}
	c, err := small.Dial(network, target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// privateMemory is what the workers have for themselves, in bytes.
func privateMemory(t *testing.T, s *e2e.Server) (bytes int64) {
	t.Helper()
	for _, pid := range s.Children() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			t.Skipf("no account of a process's memory here: %v", err)
		}
		for line := range strings.Lines(string(text)) {
			if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[0], "Private_") {
				kib, _ := strconv.ParseInt(fields[1], 10, 64)
				bytes += kib << 10
			}
		}
	}
	return bytes
}
