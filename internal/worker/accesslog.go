package worker

import (
	"bytes"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/fondue-server/fondue/internal/logging"
)

// accessLog writes one line for each answered request, see lineFormat.
//
// Requests put whole lines into a bounded buffer, and one goroutine writes it
// out, so that a slow disk holds up no request: lines that find the buffer
// full are dropped. The worker's log has their number, and that of lines which
// could not be written, once in logEvery. The file is in append
// mode and gets whole lines by each write, in pieces of at most PIPE_BUF when
// it is a pipe, so that lines of several workers never mix. A full disk cuts the
// line of one of them: each that could not write ends it before it goes on.
type accessLog struct {
	file  *os.File
	log   *slog.Logger
	piece int // bytes of one write at most

	mu      sync.Mutex
	pending []byte
	dropped uint64
	format  lineFormat

	// The lines that are not in the file and not told of in the log; run's own.
	lost  uint64
	cause error // why the last of them could not be written; nil: dropped
	told  time.Time
	cut   bool // the file may end within a line, of this worker or another; run's own

	wake   chan struct{}
	moved  chan *os.File // the file to go on in
	ending chan struct{}
	done   chan struct{}
}

const (
	maxPending = 1 << 20 // bytes of lines that wait to be written
	pipeBuf    = 4096    // PIPE_BUF of Linux
)

// newAccessLog takes over the descriptor.
func newAccessLog(fd, pid, slot int, log *slog.Logger) *accessLog {
	a := &accessLog{
		file:   os.NewFile(uintptr(fd), "access log"),
		log:    log,
		format: newLineFormat(pid, slot),
		wake:   make(chan struct{}, 1), moved: make(chan *os.File), ending: make(chan struct{}), done: make(chan struct{}),
	}
	a.piece = pieceOf(a.file)
	go a.run() // ends with close
	return a
}

// pieceOf is how many bytes of lines go into one write.
func pieceOf(f *os.File) int {
	if st, err := f.Stat(); err == nil && st.Mode().IsRegular() {
		return maxPending
	}
	return pipeBuf
}

// reopen goes on in the file that is at the path now. What was logged before is
// in the old one.
func (a *accessLog) reopen(path string) error {
	f, err := logging.OpenToAppend(path)
	if err != nil {
		return err
	}
	select {
	case a.moved <- f:
		return nil
	case <-a.done:
		return f.Close()
	}
}

// request appends the line of an answered request. Any goroutine may call it.
func (a *accessLog) request(r *answered) {
	a.mu.Lock()
	if len(a.pending) > maxPending-maxLine {
		a.dropped++
		a.mu.Unlock()
		return
	}
	a.pending = a.format.append(a.pending, r, time.Now())
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *accessLog) run() {
	defer close(a.done)
	var lines []byte
	var later <-chan time.Time // when losses may be told
	for ending := false; !ending; {
		var moved *os.File
		select {
		case <-a.wake:
		case moved = <-a.moved:
		case <-later:
			later = nil
		case <-a.ending:
			ending = true
		}
		a.mu.Lock()
		lines, a.pending = a.pending, lines[:0]
		dropped := a.dropped
		a.dropped = 0
		a.mu.Unlock()
		if dropped > 0 {
			a.lost, a.cause = a.lost+dropped, nil
		}
		a.write(lines)
		if moved != nil {
			a.cut = a.cut && sameFile(a.file, moved)
			_ = a.file.Close()
			a.file, a.piece = moved, pieceOf(moved)
		}
		if a.lost == 0 || later != nil && !ending {
			continue
		}
		if wait := logEvery - time.Since(a.told); wait > 0 && !ending {
			later = time.After(wait)
			continue
		}
		a.tell()
	}
}

// tell logs the losses.
func (a *accessLog) tell() {
	if a.cause != nil {
		a.log.Error("access log cannot be written, lines are lost", "lines", a.lost, "err", a.cause)
	} else {
		a.log.Warn("access log is too slow, lines were dropped", "lines", a.lost)
	}
	a.lost, a.told = 0, time.Now()
}

// write writes whole lines.
func (a *accessLog) write(lines []byte) {
	for len(lines) > 0 {
		n := len(lines)
		if n > a.piece {
			n = a.piece
			for n > 0 && lines[n-1] != '\n' {
				n--
			}
		}
		written, err := 0, error(nil)
		if a.cut {
			_, err = a.file.Write([]byte{'\n'})
		}
		if err == nil {
			written, err = a.file.Write(lines[:n])
		}
		if a.cut = err != nil; a.cut {
			a.lost += uint64(bytes.Count(lines[written:], []byte{'\n'}))
			a.cause = err
			return
		}
		lines = lines[n:]
	}
}

func sameFile(a, b *os.File) bool {
	x, xerr := a.Stat()
	y, yerr := b.Stat()
	return xerr == nil && yerr == nil && os.SameFile(x, y)
}

// close writes what is pending, for as long as it may take at most.
func (a *accessLog) close(limit time.Duration) {
	close(a.ending)
	select {
	case <-a.done:
		_ = a.file.Close()
	case <-time.After(limit):
		a.log.Warn("access log is too slow, its last lines are lost")
	}
}
