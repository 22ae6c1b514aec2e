package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Load drives a server from many connections and counts what became of every
// request. It speaks HTTP by itself, because a client that retries hides what
// these tests look for. It honours Connection: close, as the promise asks.
type Load struct {
	// Acked is the number of answers with status 200, read to their end.
	Acked atomic.Int64
	// Refused is the number of connects that failed.
	Refused atomic.Int64
	// Broken is the number of requests that were sent, in part or whole, and
	// not answered: they may have been counted or not.
	Broken atomic.Int64
	// Odd is the number of answers with another status.
	Odd atomic.Int64

	tb            testing.TB
	network, addr string
	request       []byte
	identify      bool
	mu            sync.Mutex
	brokenOf      map[int]int // broken requests by the worker's pid, 0 where it had not said
	ending        atomic.Bool // a refused connect is the end of a client, not a failure
	stop          chan struct{}
	stopOnce      sync.Once
	clients       sync.WaitGroup
	firstError    atomic.Value
}

// LoadOptions of a load: how many clients keep their connection, and how many
// make a new one for each request.
type LoadOptions struct {
	KeepAlive, NewConn int
	Path               string
	// Identify asks each connection's worker for its pid first, for BrokenOf.
	Identify bool
}

// StartLoad begins to send; the caller ends it by Wait or Stop.
func StartLoad(tb testing.TB, addr string, o LoadOptions) *Load {
	tb.Helper()
	l := &Load{tb: tb, identify: o.Identify, brokenOf: map[int]int{}, stop: make(chan struct{})}
	l.network, l.addr = Target(addr)
	l.request = []byte("POST " + o.Path + " HTTP/1.1\r\nHost: fondue\r\nContent-Length: 0\r\n\r\n")
	for i := range o.KeepAlive + o.NewConn {
		l.clients.Go(func() { l.client(i < o.KeepAlive) })
	}
	tb.Cleanup(l.halt) // of a test that has failed
	return l
}

// More waits for so many more answers.
func (l *Load) More(answers int64) {
	l.tb.Helper()
	until := l.Acked.Load() + answers
	for deadline := time.Now().Add(readyLimit); l.Acked.Load() < until; time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			l.tb.Fatalf("%d answers are missing after %v; %d refused, %d broken, %d odd: %v",
				until-l.Acked.Load(), readyLimit, l.Refused.Load(), l.Broken.Load(), l.Odd.Load(), l.FirstError())
		}
	}
}

// Ending tells the clients that the server is about to stop: whom it refuses
// from now on has seen no failure.
func (l *Load) Ending() { l.ending.Store(true) }

// Stop ends the clients after the request each is in, and waits for them.
func (l *Load) Stop() {
	l.halt()
	l.clients.Wait()
}

func (l *Load) halt() { l.stopOnce.Do(func() { close(l.stop) }) }

// Wait waits until every client was refused; only after Ending.
func (l *Load) Wait() { l.clients.Wait() }

// FirstError is the first error of a client, for messages.
func (l *Load) FirstError() any { return l.firstError.Load() }

func (l *Load) client(keep bool) {
	for !l.stopped() {
		conn, err := net.DialTimeout(l.network, l.addr, requestLimit)
		if err != nil {
			if l.ending.Load() {
				return
			}
			l.note(&l.Refused, err)
			time.Sleep(time.Millisecond) // do not spin on a server that is gone
			continue
		}
		l.converse(conn, keep)
		conn.Close()
	}
}

// converse sends requests on one connection until either side ends it.
func (l *Load) converse(conn net.Conn, keep bool) {
	answers, pid := bufio.NewReader(conn), 0
	if l.identify {
		response, body, err := exchange(conn, answers, []byte("GET /report HTTP/1.1\r\nHost: fondue\r\n\r\n"))
		var report struct {
			PID int `json:"current_process_id"`
		}
		if err == nil {
			err = json.Unmarshal(body, &report)
		}
		if err != nil {
			l.broken(0, err)
			return
		}
		if pid = report.PID; response.Close {
			return
		}
	}
	quiet := time.Now() // when the client had its last answer, or its connection
	for n := 0; n == 0 || keep && !l.stopped(); n++ {
		begin := time.Now()
		response, _, err := exchange(conn, answers, l.request)
		if err != nil {
			l.broken(pid, fmt.Errorf("after %d answers, %v without a request and then %v: %w", n,
				begin.Sub(quiet).Round(time.Millisecond), time.Since(begin).Round(time.Millisecond), err))
			return
		}
		quiet = time.Now()
		if response.StatusCode != http.StatusOK {
			l.Odd.Add(1)
		} else {
			l.Acked.Add(1)
		}
		if response.Close {
			return
		}
	}
}

// exchange sends one request and reads its answer to the end.
func exchange(conn net.Conn, answers *bufio.Reader, request []byte) (*http.Response, []byte, error) {
	_ = conn.SetDeadline(time.Now().Add(requestLimit)) // a TCP or Unix connection takes deadlines
	if _, err := conn.Write(request); err != nil {
		return nil, nil, err
	}
	response, err := http.ReadResponse(answers, nil)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response, body, err
}

func (l *Load) broken(pid int, err error) {
	l.note(&l.Broken, err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.brokenOf[pid]++
}

// BrokenOf tells how many requests broke by the pid of the worker that had the
// connection, 0 where it had not said its pid yet; only after Stop or Wait.
func (l *Load) BrokenOf() map[int]int { return l.brokenOf }

func (l *Load) note(counter *atomic.Int64, err error) {
	counter.Add(1)
	l.firstError.CompareAndSwap(nil, err.Error())
}

func (l *Load) stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// AskOnce sends one POST on a connection of its own, calls sent when that is done
// or has failed, and reads the answer.
func AskOnce(addr, path string, sent func()) error {
	network, target := Target(addr)
	conn, err := net.DialTimeout(network, target, requestLimit)
	if err != nil {
		sent()
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(requestLimit)) // a TCP or Unix connection takes deadlines
	_, err = io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: fondue\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	sent()
	if err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.ReadAll(response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return nil
}
