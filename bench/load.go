package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// mark is a line that the generator prints when the measured time begins and
// when it ends.
type mark struct {
	At time.Time `json:"at"`
}

// loadResult is the generator's last line.
type loadResult struct {
	Requests int64         `json:"requests"` // answered in the measured time
	Total    int64         `json:"total"`    // answered at all
	Elapsed  time.Duration `json:"elapsed"`
	P50      time.Duration `json:"p50"`
	P99      time.Duration `json:"p99"`
}

// Phases of a run, in order. Connections read the phase before each request.
const (
	warming int32 = iota
	measuring
	ending
)

// generate drives a closed loop: each connection sends its next request when
// the last answer is complete. It finds the capacity; its latencies are those
// under that load and no promise about a gentler one.
func generate(address, path string, c config) error {
	requests := make([][]byte, c.keys)
	for key := range requests {
		target := path
		if strings.Contains(path, "%d") {
			target = fmt.Sprintf(path, key)
		}
		requests[key] = fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", target)
	}
	var (
		phase atomic.Int32
		group sync.WaitGroup
		loops = make([]loop, c.connections)
	)
	for i := range loops {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		defer conn.Close()
		loops[i] = loop{conn: conn, requests: requests, next: i, latencies: &histogram{}}
	}
	for i := range loops {
		group.Go(func() { loops[i].run(&phase) })
	}
	time.Sleep(c.warmup)
	lines := json.NewEncoder(os.Stdout)
	begin := time.Now()
	phase.Store(measuring)
	if err := lines.Encode(mark{begin}); err != nil {
		return err
	}
	time.Sleep(c.round)
	end := time.Now()
	phase.Store(ending)
	if err := lines.Encode(mark{end}); err != nil {
		return err
	}
	group.Wait()
	result := loadResult{Elapsed: end.Sub(begin)}
	var all histogram
	for i := range loops {
		if loops[i].err != nil {
			return fmt.Errorf("connection %d: %w", i, loops[i].err)
		}
		result.Total += loops[i].total
		all.add(loops[i].latencies)
	}
	result.Requests = all.count
	result.P50, result.P99 = all.quantile(0.50), all.quantile(0.99)
	return lines.Encode(result)
}

// loop is one connection; run owns it.
type loop struct {
	conn      net.Conn
	requests  [][]byte
	next      int
	total     int64
	latencies *histogram
	err       error
}

func (l *loop) run(phase *atomic.Int32) {
	buffer := make([]byte, 4096)
	for {
		now := phase.Load()
		if now == ending {
			return
		}
		begin := time.Now()
		l.next++
		if _, l.err = l.conn.Write(l.requests[l.next%len(l.requests)]); l.err != nil {
			return
		}
		if l.err = readReply(l.conn, buffer); l.err != nil {
			return
		}
		l.total++
		// An answer counts in the phase in which its request began and ended.
		if now == measuring && phase.Load() == measuring {
			l.latencies.record(time.Since(begin))
		}
	}
}

var (
	statusOK   = []byte("HTTP/1.1 200 ")
	headerEnd  = []byte("\r\n\r\n")
	lengthName = []byte("\r\nContent-Length: ")
)

// readReply reads one answer: 200, with a Content-Length, nothing after it.
func readReply(conn net.Conn, buffer []byte) error {
	filled := 0
	for {
		n, err := conn.Read(buffer[filled:])
		if err != nil {
			return err
		}
		filled += n
		text := buffer[:filled]
		end := bytes.Index(text, headerEnd)
		if end < 0 {
			if filled == len(buffer) {
				return errors.New("the answer's head is too long")
			}
			continue
		}
		if !bytes.HasPrefix(text, statusOK) {
			return fmt.Errorf("not a 200: %.200q", text)
		}
		length, err := contentLength(text[:end])
		if err != nil {
			return err
		}
		whole := end + len(headerEnd) + length
		switch {
		case filled == whole:
			return nil
		case filled > whole:
			return fmt.Errorf("more than one answer: %.300q", text)
		case whole > len(buffer):
			return errors.New("the answer is too long")
		}
	}
}

func contentLength(head []byte) (int, error) {
	start := bytes.Index(head, lengthName)
	if start < 0 {
		return 0, fmt.Errorf("no Content-Length: %.200q", head)
	}
	digits := head[start+len(lengthName):]
	if end := bytes.IndexByte(digits, '\r'); end >= 0 {
		digits = digits[:end]
	}
	return strconv.Atoi(string(digits))
}
