package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// pipelineLimit is beyond what a worker may be silent before it is ended: a client
// that gives up earlier leaves open what becomes of its requests.
const pipelineLimit = time.Minute

// pipelinePause is how long a client lets half of its requests be under way before it
// sends more: without it the clients take all of the CPU from what the test does.
const pipelinePause = 5 * time.Millisecond

// Pipeline drives a server with several requests under way on each connection. Every
// client adds to a counter of its own, so each answer tells how many of its requests
// were executed: the one after an answer that ends a connection must not have been.
type Pipeline struct {
	// Acked is the number of answers, each with the count that was due.
	Acked atomic.Int64
	// Ended is the number of connections whose last answer said so, Cut of those that
	// ended without a word before every request was answered.
	Ended, Cut atomic.Int64
	// Unanswered is how many requests of cut connections turned out to be executed.
	Unanswered atomic.Int64
	// Refused is the number of connects that failed.
	Refused atomic.Int64

	tb            testing.TB
	network, addr string
	depth         int64
	clients       []*pipeliner
	ending        atomic.Bool // a refused connect is the end of a client
	stop          chan struct{}
	stopOnce      sync.Once
	running       sync.WaitGroup
}

// pipeliner is one client, on one connection after the other.
type pipeliner struct {
	*Pipeline
	key     string
	request []byte
	count   int64 // as last answered
	open    int64 // sent since on connections that were cut
}

// StartPipeline begins to send from so many clients, with depth requests under way
// from each. Their counters are prefix0 and on.
func StartPipeline(tb testing.TB, addr, prefix string, clients, depth int) *Pipeline {
	tb.Helper()
	p := &Pipeline{tb: tb, depth: int64(depth), stop: make(chan struct{})}
	p.network, p.addr = Target(addr)
	for i := range clients {
		key := fmt.Sprint(prefix, i)
		c := &pipeliner{Pipeline: p, key: key, request: []byte("POST /increment?key=" + key + "&by=1 HTTP/1.1\r\nHost: fondue\r\n\r\n")}
		p.clients = append(p.clients, c)
		p.running.Go(c.run)
	}
	tb.Cleanup(p.Stop)
	return p
}

// More waits for so many more answers.
func (p *Pipeline) More(answers int64) {
	p.tb.Helper()
	until := p.Acked.Load() + answers
	Eventually(p.tb, pipelineLimit, fmt.Sprint(answers, " more answers"), func() bool { return p.Acked.Load() >= until || p.tb.Failed() })
}

// Ending tells the clients that the server is about to stop.
func (p *Pipeline) Ending() { p.ending.Store(true) }

// Stop ends the clients when all that they have sent is answered.
func (p *Pipeline) Stop() {
	p.stopOnce.Do(func() { close(p.stop) })
	p.running.Wait()
}

// Wait waits until every client was refused; only after Ending.
func (p *Pipeline) Wait() { p.running.Wait() }

// WantExact asserts that each counter is what its client was told, or, unless gentle,
// that and no more than it asked for. It is called after Stop or Wait.
func (p *Pipeline) WantExact(s *Server, gentle bool) {
	p.tb.Helper()
	for _, c := range p.clients {
		var report struct {
			Count int64 `json:"count"`
		}
		s.Get("/report?key=" + c.key).WantStatus(http.StatusOK).Decode(&report)
		if report.Count > c.count {
			p.Unanswered.Add(report.Count - c.count)
		}
		if report.Count < c.count || report.Count > c.count+c.open {
			p.tb.Errorf("%s is %d; %d were acknowledged and %d broken off", c.key, report.Count, c.count, c.open)
		}
	}
	p.tb.Logf("%d requests; %d connections ended by an answer, %d cut; %d requests executed and not answered",
		p.Acked.Load(), p.Ended.Load(), p.Cut.Load(), p.Unanswered.Load())
	if n := p.Unanswered.Load(); gentle && n > 0 {
		p.tb.Errorf("%d requests were executed and not answered", n)
	}
	if n := p.Refused.Load(); n > 0 {
		p.tb.Errorf("%d connects failed", n)
	}
}

func (c *pipeliner) run() {
	for !c.stopped() && !c.tb.Failed() {
		conn, err := net.DialTimeout(c.network, c.addr, pipelineLimit)
		if err != nil {
			if c.ending.Load() {
				return
			}
			c.Refused.Add(1)
			time.Sleep(time.Millisecond) // do not spin on a server that is gone
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(pipelineLimit)) // a TCP or Unix connection takes deadlines
		if err := c.converse(conn); err != nil {
			c.tb.Errorf("%s: %v", c.key, err)
		}
		conn.Close()
	}
}

// converse sends and reads until either side ends the connection. The error is a
// broken promise.
func (c *pipeliner) converse(conn net.Conn) error {
	answers, under, closed := bufio.NewReader(conn), int64(0), false
	for {
		if under <= c.depth/2 && !closed && !c.stopped() {
			time.Sleep(pipelinePause)
			_ = conn.SetDeadline(time.Now().Add(pipelineLimit))
			n, err := conn.Write(bytes.Repeat(c.request, int(c.depth-under)))
			under += int64(n / len(c.request))
			closed = err != nil // and what was answered before is read
		}
		if under == 0 {
			return nil
		}
		last, err := c.answer(answers)
		var promise *brokenPromise
		switch {
		case errors.As(err, &promise), errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case err != nil:
			c.Cut.Add(1)
			c.open += under
			return nil
		}
		under--
		if last {
			c.Ended.Add(1)
			if rest, err := answers.Peek(1); err == nil {
				return fmt.Errorf("%q after the last answer", rest)
			}
			return nil // what follows the last answer is not executed
		}
	}
}

type brokenPromise struct{ text string }

func (b *brokenPromise) Error() string { return b.text }

// answer reads one answer and holds it to the counts that are possible.
func (c *pipeliner) answer(from *bufio.Reader) (last bool, err error) {
	response, err := http.ReadResponse(from, nil)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	var body struct {
		Key   string `json:"key"`
		Count int64  `json:"count"`
	}
	var text bytes.Buffer
	if _, err := text.ReadFrom(response.Body); err != nil {
		return false, err
	}
	if err := json.Unmarshal(text.Bytes(), &body); err != nil || response.StatusCode != http.StatusOK || body.Key != c.key {
		return false, &brokenPromise{fmt.Sprintf("%s, %q", response.Status, text.Bytes())}
	}
	if body.Count <= c.count || body.Count > c.count+c.open+1 {
		return false, &brokenPromise{fmt.Sprintf("count %d after %d with %d broken off", body.Count, c.count, c.open)}
	}
	c.Unanswered.Add(body.Count - c.count - 1)
	c.count, c.open = body.Count, 0
	c.Acked.Add(1)
	return response.Close, nil
}

func (c *pipeliner) stopped() bool {
	select {
	case <-c.stop:
		return true
	default:
		return false
	}
}
