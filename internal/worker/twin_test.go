package worker

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/metrics"
	"github.com/fondue-server/fondue/internal/shm"
)

// twin is one of two servers that get the same bytes in the same pieces, and the
// client's end of its connection.
type twin struct {
	*testServer
	fd     int
	left   [][]byte // pieces to be sent
	ended  bool     // so is the end of the stream
	sent   int
	before shm.Meters
	got    []byte
	over   bool // the server has ended the connection

	fading   bool   // a key of it was about to end
	expiries uint64 // that are known of; see ends
}

// twins are a server with the fast lane and one without.
type twins struct{ lane, plain *twin }

// outcome is what came of a connection.
type outcome struct {
	response string
	lines    string // of the access log
	keys     string
	answers  shm.Answers
	lookups  [2]uint64
	received uint64
}

// newTwins starts both.
func newTwins(t testing.TB) *twins {
	t.Helper()
	paths := sameRegions(t)
	start := func(lane bool) *twin {
		lines := &accessLog{format: newLineFormat(1, 1), wake: make(chan struct{}, 1)} // nobody writes them out
		return &twin{testServer: newServerAs(t, setting{network: "unix", lane: lane, access: lines, path: paths[lane]})}
	}
	return &twins{lane: start(true), plain: start(false)}
}

// sameRegions are the paths of two regions that are the same at first, for a server with
// the lane and one without: they have their keys in the same order, and versions that
// are written in as many digits. They are small: looking through them takes little time.
func sameRegions(t testing.TB) map[bool]string {
	t.Helper()
	dir := t.TempDir()
	paths := map[bool]string{true: filepath.Join(dir, "lane"), false: filepath.Join(dir, "plain")}
	region, err := shm.Create(paths[true], shm.Geometry{Size: shm.MinSize, Slots: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := region.Close(); err != nil {
		t.Fatal(err)
	}
	same, err := os.ReadFile(paths[true])
	if err == nil {
		err = os.WriteFile(paths[false], same, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// serve has both serve one connection, on which the pieces arrive one after the
// other, and then the end of the stream. leaving: they are in a drain.
func (p *twins) serve(t testing.TB, pieces [][]byte, leaving bool) (lane, plain outcome) {
	t.Helper()
	both := []*twin{p.lane, p.plain}
	for _, w := range both {
		w.draining.Store(leaving)
		defer w.draining.Store(false) // or it is not drained at the end
		w.begin(t, pieces)
	}
	limit := time.Now().Add(20 * time.Second)
	for idle := 0; !p.lane.over || !p.plain.over; idle++ {
		if p.lane.step(t) || p.plain.step(t) {
			idle = 0
		}
		switch {
		case idle < 20:
			runtime.Gosched()
		case time.Now().Before(limit):
			time.Sleep(10 * time.Microsecond)
		default:
			t.Fatalf("%q: no end; of the lane came %q, over %v, of fasthttp %q, over %v",
				pieces, p.lane.got, p.lane.over, p.plain.got, p.plain.over)
		}
	}
	return p.lane.end(t), p.plain.end(t)
}

func (w *twin) begin(t testing.TB, pieces [][]byte) {
	t.Helper()
	*w = twin{testServer: w.testServer, left: pieces, got: w.got[:0], expiries: w.expiries}
	w.seed(t)
	w.access.mu.Lock()
	w.access.pending = w.access.pending[:0]
	w.access.mu.Unlock()
	w.before = w.meters()
	var err error
	if w.fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(w.fd, &unix.SockaddrUnix{Name: w.addr}); err != nil {
		t.Fatal(err)
	}
}

// seed makes the keys what they are before each connection.
func (w *twin) seed(t testing.TB) {
	t.Helper()
	for _, k := range []struct {
		key   string
		value shm.Value
	}{
		{"hits", shm.IntegerValue(41)},
		{"most", shm.IntegerValue(1<<63 - 1)},
		{"object", shm.BytesValue([]byte(`{"a":1}`))},
		{"long", shm.BytesValue([]byte(`"` + strings.Repeat("x", 20_000) + `"`))},
	} {
		if _, err := w.commands.Put([]byte(k.key), k.value, 0, shm.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
}

// step goes on with the connection, and reports whether there was something to do.
// The next piece is sent when the server has read all before it.
func (w *twin) step(t testing.TB) (done bool) {
	if w.over {
		return false
	}
	var buffer [32 << 10]byte
	switch n, err := unix.Read(w.fd, buffer[:]); {
	case n > 0:
		w.got, done = append(w.got, buffer[:n]...), true
	case err == nil, errors.Is(err, unix.ECONNRESET): // by what it had not read
		w.over = true
		return true
	case !errors.Is(err, unix.EAGAIN):
		t.Fatal(err)
	}
	if w.ended || w.meters().Received-w.before.Received < uint64(w.sent) {
		return done
	}
	for len(w.left) > 0 && len(w.left[0]) == 0 {
		w.left = w.left[1:]
	}
	if len(w.left) > 0 {
		n, err := unix.SendmsgN(w.fd, w.left[0], nil, nil, unix.MSG_NOSIGNAL)
		if err != nil && !errors.Is(err, unix.EPIPE) { // whose cause the next read finds
			t.Fatal(err)
		}
		w.left = slices.Clone(w.left)
		w.left[0], w.sent = w.left[0][max(n, 0):], w.sent+max(n, 0)
	}
	if len(bytes.Join(w.left, nil)) == 0 { // along with the last piece, or soon after it
		w.ended = true
		_ = unix.Shutdown(w.fd, unix.SHUT_WR)
	}
	return true
}

// end is what came of the connection.
func (w *twin) end(t testing.TB) outcome {
	t.Helper()
	_ = unix.Close(w.fd)
	for limit := time.Now().Add(20 * time.Second); w.open() > 0 || w.connections() > 0; time.Sleep(5 * time.Microsecond) {
		if time.Now().After(limit) {
			t.Fatalf("%d connections are open, %d are counted", w.open(), w.connections())
		}
	}
	now := w.meters()
	m := now.Since(&w.before)
	if m.Accepted != 1 || m.Sent != uint64(len(w.got)) {
		t.Errorf("%d connections, %d bytes are counted as sent of %d", m.Accepted, m.Sent, len(w.got))
	}
	w.access.mu.Lock()
	defer w.access.mu.Unlock()
	return outcome{
		response: string(w.got), lines: string(w.access.pending), keys: w.takeKeys(t),
		answers: m.Answers, lookups: [2]uint64{m.Hits, m.Misses}, received: m.Received,
	}
}

func (w *twin) connections() int64 { return w.region.WorkerSlots()[w.store.ID().Slot].Connections }

// takeKeys removes all keys, and lists what they held.
func (w *twin) takeKeys(t testing.TB) string {
	t.Helper()
	keys, _, err := w.commands.Scan(nil, nil, nil, 1000)
	var lines []string
	w.fading = false
	for i := range keys {
		item, err := w.commands.Get(nil, keys[i].Key, command.Condition{})
		w.fading = w.fading || item.TTL > 0 && item.TTL < 10*time.Second
		if len(item.Bytes) > 1000 {
			item.Bytes = fmt.Appendf(nil, "%d bytes, hash %x", len(item.Bytes), sha256.Sum256(item.Bytes))
		}
		lines = append(lines, fmt.Sprintf("%q %d %q %v %v", keys[i].Key, item.Int, item.Bytes, item.TTL > 0, err))
		if err := w.commands.Remove(keys[i].Key, command.Condition{}); err != nil && !errors.Is(err, shm.ErrNotFound) {
			t.Fatal(err)
		}
	}
	slices.Sort(lines)
	return strings.Join(append(lines, fmt.Sprint(err)), "\n")
}

// What differs from one moment to the next, and with what a region has seen: of a
// version, all but the value of a counter.
var masks = []struct {
	what *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`\r\nDate: [^\r]{29}\r\n`), "\r\nDate: now\r\n"},
	{regexp.MustCompile(`\r\nETag: "[0-9a-f]+(-[0-9a-f]+)?`), "\r\nETag: \"version"},
	{regexp.MustCompile(`\r\nFondue-TTL: [0-9.]+\r\n`), "\r\nFondue-TTL: n\r\n"},
	{regexp.MustCompile(`\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]`), "[now]"},
}

func (o *outcome) mask() {
	for _, m := range masks {
		o.response, o.lines = m.what.ReplaceAllString(o.response, m.by), m.what.ReplaceAllString(o.lines, m.by)
	}
}

// closes says whether the server has ended the connection by itself.
func (o *outcome) closes() bool { return strings.Contains(o.response, "\r\nConnection: close\r\n") }

// differences tells in what two outcomes are not the same.
func (o outcome) differences(other outcome) string {
	o.mask()
	other.mask()
	var all []string
	add := func(what string, mine, theirs any) {
		if mine != theirs {
			all = append(all, fmt.Sprintf("%s:\nlane     %.2000q\nfasthttp %.2000q", what, fmt.Sprint(mine), fmt.Sprint(theirs)))
		}
	}
	add("response", o.response, other.response)
	add("access log", o.lines, other.lines)
	add("keys", o.keys, other.keys)
	add("lookups", o.lookups, other.lookups)
	for kind := range o.answers {
		add(fmt.Sprintf("answers of kind %d", metrics.Kind(kind)), o.answers[kind], other.answers[kind])
	}
	if !o.closes() && !other.closes() { // else how much is read of what is not answered is not told
		add("received", o.received, other.received)
	}
	return strings.Join(all, "\n")
}
