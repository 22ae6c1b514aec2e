package worker

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/fondue-server/fondue/internal/logging"
	"github.com/valyala/fasthttp"
)

// accessLog writes one line for each answered request, in the common log
// format with the worker added:
//
//	127.0.0.1 - - [21/Nov/2026:13:55:36 +0100] "GET /count HTTP/1.1" 200 2 pid=4711 slot=0
//
// The size is that of the body as sent, "-" for none. In the request, '"',
// '\', and bytes outside of printable ASCII are written \xHH; it is cut at
// maxRequest bytes. A request that could not be read is "-".
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
	tail  string // the end of every line
	piece int    // bytes of one write at most

	mu      sync.Mutex
	pending []byte
	dropped uint64
	stamp   []byte // rendered time of second
	second  int64

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
	maxRequest = 2048    // bytes of the request in a line
	pipeBuf    = 4096    // PIPE_BUF of Linux
)

// newAccessLog takes over the descriptor.
func newAccessLog(fd, pid, slot int, log *slog.Logger) *accessLog {
	a := &accessLog{
		file: os.NewFile(uintptr(fd), "access log"),
		log:  log,
		tail: " pid=" + strconv.Itoa(pid) + " slot=" + strconv.Itoa(slot) + "\n",
		wake: make(chan struct{}, 1), moved: make(chan *os.File), ending: make(chan struct{}), done: make(chan struct{}),
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

// request appends the line of an answered request.
func (a *accessLog) request(ctx *fasthttp.RequestCtx, unread bool) {
	a.mu.Lock()
	if len(a.pending) > maxPending-maxRequest-512 {
		a.dropped++
		a.mu.Unlock()
		return
	}
	b := a.pending
	b = appendHost(b, ctx.RemoteAddr())
	b = append(b, " - - ["...)
	b = a.appendTime(b, time.Now())
	b = append(b, `] "`...)
	if unread {
		b = append(b, '-')
	} else {
		b = appendRequest(b, ctx)
	}
	b = append(b, `" `...)
	b = strconv.AppendInt(b, int64(ctx.Response.StatusCode()), 10)
	b = append(b, ' ')
	if n := len(ctx.Response.Body()); n > 0 && !ctx.IsHead() {
		b = strconv.AppendInt(b, int64(n), 10)
	} else {
		b = append(b, '-')
	}
	a.pending = append(b, a.tail...)
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// appendTime renders each second once.
func (a *accessLog) appendTime(dst []byte, t time.Time) []byte {
	if second := t.Unix(); second != a.second || len(a.stamp) == 0 {
		a.second = second
		a.stamp = t.AppendFormat(a.stamp[:0], "02/Jan/2006:15:04:05 -0700")
	}
	return append(dst, a.stamp...)
}

func appendHost(dst []byte, addr net.Addr) []byte {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return append(dst, "unix:"...)
	}
	return tcp.AddrPort().Addr().Unmap().AppendTo(dst)
}

func appendRequest(dst []byte, ctx *fasthttp.RequestCtx) []byte {
	header := &ctx.Request.Header
	limit := len(dst) + maxRequest
	for i, part := range [...][]byte{header.Method(), header.RequestURI(), header.Protocol()} {
		if i > 0 {
			dst = append(dst, ' ')
		}
		for _, c := range part {
			if len(dst) >= limit {
				return append(dst, "..."...)
			}
			if c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
				const digits = "0123456789abcdef"
				dst = append(dst, '\\', 'x', digits[c>>4], digits[c&15])
			} else {
				dst = append(dst, c)
			}
		}
	}
	return dst
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
