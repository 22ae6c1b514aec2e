package worker

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sys/unix"
)

func newLogRequest(t testing.TB, target string) *fasthttp.RequestCtx {
	t.Helper()
	ctx := new(fasthttp.RequestCtx)
	ctx.Init(&fasthttp.Request{}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, nil)
	if err := ctx.Request.Read(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n"))); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// of logs what fasthttp answers.
func (a *accessLog) of(ctx *fasthttp.RequestCtx, unread bool) {
	r := answeredBy(ctx, unread)
	a.request(&r)
}

func quietLog() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func TestAccessLogFormat(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	a := newAccessLog(fd, 4711, 3, quietLog())
	ctx := newLogRequest(t, `/count?key="\ü`)
	ctx.SetBodyString("12345")
	a.of(ctx, false)
	ctx = newLogRequest(t, "/"+strings.Repeat("x", 3000))
	ctx.SetStatusCode(404)
	a.of(ctx, false)
	a.of(ctx, true)
	a.close(time.Minute)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	stamp := `127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] `
	for i, want := range []string{
		`"GET /count\?key=\\x22\\x5c\\xc3\\xbc HTTP/1\.1" 200 5 pid=4711 slot=3`,
		`"GET /x+\.\.\. ?(HTTP/1\.1)?" 404 - pid=4711 slot=3`,
		`"-" 404 - pid=4711 slot=3`,
	} {
		if !regexp.MustCompile("^" + stamp + want + "$").MatchString(lines[i]) {
			t.Errorf("line %d: %.300q", i, lines[i])
		}
	}
	if len(lines) != 4 || lines[3] != "" {
		t.Errorf("%d lines", len(lines)-1)
	}
}

// TestAccessLogInterleaving: several writers to one pipe never mix their
// lines, and no line is lost while the reader keeps up.
func TestAccessLogInterleaving(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	const logs, each = 4, 500
	var writers sync.WaitGroup
	for i := range logs {
		fd, err := unix.Dup(int(w.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		a := newAccessLog(fd, 100+i, i, quietLog())
		writers.Add(1)
		go func() {
			defer writers.Done()
			ctx := newLogRequest(t, "/"+strings.Repeat(string(rune('a'+i)), 200))
			for range each {
				a.of(ctx, false)
			}
			a.close(time.Minute)
		}()
	}
	w.Close()
	line := regexp.MustCompile(`^127\.0\.0\.1 - - \[[^]]*\] "GET /(a+|b+|c+|d+) HTTP/1\.1" 200 - pid=10\d slot=\d$`)
	n := 0
	for in := bufio.NewScanner(r); in.Scan(); n++ {
		if !line.MatchString(in.Text()) {
			t.Fatalf("line %d: %q", n, in.Text())
		}
	}
	writers.Wait()
	if n != logs*each {
		t.Errorf("%d lines of %d", n, logs*each)
	}
}

// TestAccessLogSlow: a log that nobody reads holds up no request.
func TestAccessLogSlow(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fd, err := unix.Dup(int(w.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	a := newAccessLog(fd, 1, 1, quietLog())
	ctx := newLogRequest(t, "/"+strings.Repeat("x", 1000))
	for range 3000 { // more than pipe and buffer hold
		a.of(ctx, false)
	}
	a.close(10 * time.Millisecond)
}

// TestAccessLogLost: a log that cannot be written does not fill the other one,
// and every lost line is counted there.
func TestAccessLogLost(t *testing.T) {
	t.Parallel()
	full, err := unix.Open("/dev/full", unix.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer // by the log's goroutine, until close has awaited it
	a := newAccessLog(full, 1, 1, slog.New(slog.NewTextHandler(&told, nil)))
	ctx := newLogRequest(t, "/")
	const lines = 1000
	for range lines {
		a.of(ctx, false)
		for waiting := true; waiting; time.Sleep(time.Microsecond) { // each by a write of its own
			a.mu.Lock()
			waiting = len(a.pending) > 0
			a.mu.Unlock()
		}
	}
	a.close(time.Minute)
	lost := 0
	found := regexp.MustCompile(`level=ERROR .* lines=(\d+) err=.*no space left`).FindAllStringSubmatch(told.String(), -1)
	for _, m := range found {
		n, _ := strconv.Atoi(m[1])
		lost += n
	}
	// The first at once, the others at the end.
	if len(found) != 2 || strings.Count(told.String(), "\n") != 2 || lost != lines {
		t.Errorf("%d lines in %d messages: %s", lost, len(found), told.String())
	}
}

// TestAccessLogCut: where the disk was full in the middle of a line, the next one
// begins a line of its own; not so in a new file.
func TestAccessLogCut(t *testing.T) {
	// A disk that is full at a place that no other file of this process reaches.
	const room, full = 1 << 36, 20
	signal.Ignore(unix.SIGXFSZ)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	unlimited := func() {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(unlimited)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: room, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	for name, moved := range map[string]bool{"the same file": false, "a new file": true} {
		path := filepath.Join(t.TempDir(), "log")
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := f.Truncate(room - full); err != nil {
			t.Fatal(err)
		}
		fd, err := unix.Dup(int(f.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		var told bytes.Buffer
		a := newAccessLog(fd, 1, 1, slog.New(slog.NewTextHandler(&told, nil)))
		a.of(newLogRequest(t, "/cut"), false)
		if moved {
			if err := os.Rename(path, path+".1"); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // with the second one the first is done, and the line before it
			if err := a.reopen(path); err != nil {
				t.Fatal(err)
			}
		}
		unlimited()
		a.of(newLogRequest(t, "/whole"), false)
		a.close(time.Minute)
		if !strings.Contains(told.String(), "lines=1") {
			t.Errorf("%s: told %q", name, told.String())
		}
		begin := int64(room)
		if moved {
			begin = 0
			if f, err = os.Open(path); err != nil {
				t.Fatal(err)
			}
			defer f.Close()
		}
		got, err := io.ReadAll(io.NewSectionReader(f, begin, 1<<20))
		want := map[bool]string{false: "\n127.0.0.1 ", true: "127.0.0.1 "}[moved]
		if err != nil || !strings.HasPrefix(string(got), want) || !strings.HasSuffix(string(got), "slot=1\n") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: room, Max: limit.Max}); err != nil {
			t.Fatal(err)
		}
	}
}
