package logging

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"
)

// A pipe that nobody reads holds nobody up; its reader then finds whole lines
// in order, and where how many are missing.
func TestQueueNeverWaits(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	log, q, err := NewQueued(w, "text", slog.LevelError)
	if err != nil {
		t.Fatal(err)
	}
	const lines = 20_000
	for i := range lines {
		log.Error("line", "n", i)
	}
	read := make(chan []byte)
	go func() { // ends when w is closed
		b, _ := io.ReadAll(r)
		read <- b
	}()
	// The gap is told before what follows it.
	for deadline := time.Now().Add(10 * time.Second); q.gap() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the queue stays full")
		}
	}
	log.Error("last")
	q.Close(10 * time.Second)
	w.Close()
	text := strings.Split(strings.TrimSuffix(string(<-read), "\n"), "\n")
	n := len(text)
	if !strings.Contains(text[n-1], "msg=last") {
		t.Errorf("last line %q", text[n-1])
	}
	if want := fmt.Sprintf("lines=%d", lines-(n-2)); !strings.HasSuffix(text[n-2], want) {
		t.Errorf("after %d lines: %q, want %s", n-2, text[n-2], want)
	}
	for i, line := range text[:n-2] {
		if !strings.HasSuffix(line, fmt.Sprintf(" n=%d", i)) {
			t.Fatalf("line %d: %q", i, line)
		}
	}
}

func (q *Queue) gap() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

func TestQueueClose(t *testing.T) {
	var out bytes.Buffer
	log, q, err := NewQueued(&out, "json", slog.LevelInfo)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		log.Info("shown")
	}
	q.Close(10 * time.Second)
	if n := strings.Count(out.String(), `"shown"`); n != 100 {
		t.Errorf("%d lines, want 100", n)
	}
	// A writer that is stuck ends nobody's exit.
	r, w := io.Pipe()
	defer r.Close()
	log, q, err = NewQueued(w, "text", slog.LevelInfo)
	if err != nil {
		t.Fatal(err)
	}
	log.Info("stuck")
	began := time.Now()
	q.Close(10 * time.Millisecond)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("closed after %v", took)
	}
}

func TestQueuedRefuses(t *testing.T) {
	if _, _, err := NewQueued(nil, "xml", slog.LevelInfo); err == nil {
		t.Error("format xml")
	}
}
