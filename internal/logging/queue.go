package logging

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
	"time"
)

// maxPending is how many bytes of lines may wait to be written.
const maxPending = 256 << 10

// Queue is a writer that never waits for the one behind it, which may be a pipe
// that nobody reads. What is written at once stays together: whole lines. They
// keep their order; while the queue is full they are dropped and counted.
type Queue struct {
	w    io.Writer
	lost func(lines int) // writes to w that lines were dropped here

	mu      sync.Mutex
	pending []byte
	dropped int

	wake, ending, done chan struct{}
}

// NewQueued returns a logger as New does, that never holds up its caller. The
// queue behind it is closed at the end.
func NewQueued(w io.Writer, format string, level slog.Leveler) (*slog.Logger, *Queue, error) {
	direct, err := New(w, format, slog.LevelWarn)
	if err != nil {
		return nil, nil, err
	}
	q := &Queue{
		w: w, lost: func(n int) { direct.Warn("nobody reads the log fast enough, lines were dropped", "lines", n) },
		wake: make(chan struct{}, 1), ending: make(chan struct{}), done: make(chan struct{}),
	}
	log, err := New(q, format, level)
	if err != nil {
		return nil, nil, err
	}
	go q.run() // ends with Close, or with a write that never does
	return log, q, nil
}

// Write takes whole lines. It always succeeds.
func (q *Queue) Write(p []byte) (int, error) {
	q.mu.Lock()
	// Once a line was dropped all are, until the gap can be told where it is.
	if q.dropped > 0 || len(q.pending)+len(p) > maxPending {
		q.dropped += max(1, bytes.Count(p, []byte{'\n'}))
	} else {
		q.pending = append(q.pending, p...)
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (q *Queue) run() {
	defer close(q.done)
	var lines []byte
	for ending := false; !ending; {
		select {
		case <-q.wake:
		case <-q.ending:
			ending = true
		}
		q.mu.Lock()
		lines, q.pending = q.pending, lines[:0]
		dropped := q.dropped
		q.dropped = 0
		q.mu.Unlock()
		// One by one: the lines of several processes that share a pipe do not mix.
		for line := range bytes.Lines(lines) {
			_, _ = q.w.Write(line) // a log that cannot be written has no place to say so
		}
		if dropped > 0 {
			q.lost(dropped)
		}
	}
}

// Close writes what is pending, within the limit. Nothing is written after it;
// it is called once.
func (q *Queue) Close(limit time.Duration) {
	close(q.ending)
	select {
	case <-q.done:
	case <-time.After(limit):
	}
}
