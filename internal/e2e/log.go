package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"sync"
	"time"
)

// logBuffer collects stderr. One goroutine writes; the test reads.
type logBuffer struct {
	mu    sync.Mutex
	text  bytes.Buffer
	ended chan struct{}
}

// collect reads until every process that writes has ended.
func collect(from *os.File) *logBuffer {
	l := &logBuffer{ended: make(chan struct{})}
	go func() { // until the last writer is gone
		defer close(l.ended)
		defer from.Close()
		_, _ = io.Copy(l, from) // a pipe ends in no other way
	}()
	return l
}

// waitEnd waits for the last line, for so long at most.
func (l *logBuffer) waitEnd(limit time.Duration) {
	select {
	case <-l.ended:
	case <-time.After(limit):
	}
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// readyLine is what the master logs once every worker serves.
type readyLine struct {
	Message string   `json:"msg"`
	Listen  []string `json:"listen"`
	PID     int      `json:"pid"`
}

func (r readyLine) addresses() []string { return r.Listen }

// waitReady waits for the ready line of a master; 0 is any.
func (l *logBuffer) waitReady(exited <-chan struct{}, limit time.Duration, pid int) (readyLine, bool) {
	timeout := time.After(limit)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if line, ok := findReady(l.String(), pid); ok {
			return line, true
		}
		select {
		case <-tick.C:
		case <-exited:
			l.waitEnd(time.Second)
			return findReady(l.String(), pid)
		case <-timeout:
			return readyLine{}, false
		}
	}
}

func findReady(log string, pid int) (readyLine, bool) {
	for line := range bytes.Lines([]byte(log)) {
		var r readyLine
		if json.Unmarshal(line, &r) == nil && r.Message == "ready" && (pid == 0 || r.PID == pid) {
			return r, true
		}
	}
	return readyLine{}, false
}
