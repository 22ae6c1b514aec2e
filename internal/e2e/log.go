package e2e

import (
	"bytes"
	"encoding/json"
	"sync"
	"time"
)

// logBuffer collects stderr. The command's copying goroutine writes; the test
// reads.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func newLogBuffer() *logBuffer { return &logBuffer{} }

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
}

func (r readyLine) addresses() []string { return r.Listen }

func (l *logBuffer) waitReady(exited <-chan struct{}, limit time.Duration) (readyLine, bool) {
	timeout := time.After(limit)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if line, ok := findReady(l.String()); ok {
			return line, true
		}
		select {
		case <-tick.C:
		case <-exited:
			return findReady(l.String())
		case <-timeout:
			return readyLine{}, false
		}
	}
}

func findReady(log string) (readyLine, bool) {
	for line := range bytes.Lines([]byte(log)) {
		var r readyLine
		if json.Unmarshal(line, &r) == nil && r.Message == "ready" {
			return r, true
		}
	}
	return readyLine{}, false
}
