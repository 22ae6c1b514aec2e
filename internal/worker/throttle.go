package worker

import (
	"sync"
	"time"
)

// logEvery is how often a trouble that lasts is told in the log.
const logEvery = 10 * time.Second

// throttle lets one line through in logEvery. Any goroutine may ask.
type throttle struct {
	mu   sync.Mutex
	last time.Time
}

func (t *throttle) allow() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.last.IsZero() && time.Since(t.last) < logEvery {
		return false
	}
	t.last = time.Now()
	return true
}
