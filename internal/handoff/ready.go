package handoff

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ErrNoMessage: the pipe ended before a message, so the process died before it
// was ready.
var ErrNoMessage = errors.New("it ended before it was ready")

// maxMessage bounds what the master reads from a worker, in bytes. It is below
// PIPE_BUF, so that a message is written in one piece.
const maxMessage = 4096

// ReadyMessage is the one line that a worker writes to its ready pipe, and an
// heir to its channel.
type ReadyMessage struct {
	Ready bool   `json:"ready,omitempty"`
	Error string `json:"error,omitempty"` // why it cannot start
	// Quiesce asks a master to have its workers leave, before its heir is ready: the
	// heir copies the region, which nobody may change meanwhile.
	Quiesce bool `json:"quiesce,omitempty"`
	// Dropped are the listeners, by their place in the Upgrade, that the heir does
	// not serve.
	Dropped []int `json:"dropped,omitempty"`
}

// WriteTo writes the message as one line. An error text that would not fit is
// cut.
func (m ReadyMessage) WriteTo(w io.Writer) (int64, error) {
	b, err := json.Marshal(m)
	for limit := maxMessage / 2; err == nil && len(b) >= maxMessage; limit /= 2 {
		m.Error = m.Error[:min(limit, len(m.Error))] + "..."
		b, err = json.Marshal(m)
	}
	if err != nil {
		return 0, err
	}
	n, err := w.Write(append(b, '\n'))
	return int64(n), err
}

// ReadReady reads the message of one worker. It returns ErrNoMessage when the
// pipe ends without one.
func ReadReady(r io.Reader) (ReadyMessage, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxMessage)).ReadBytes('\n')
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = ErrNoMessage
		}
		return ReadyMessage{}, err
	}
	var m ReadyMessage
	if err := json.Unmarshal(line, &m); err != nil {
		return ReadyMessage{}, fmt.Errorf("ready message cannot be read: %w", err)
	}
	if !m.Ready && !m.Quiesce && m.Error == "" {
		return ReadyMessage{}, fmt.Errorf("ready message says neither ready nor error")
	}
	return m, nil
}
