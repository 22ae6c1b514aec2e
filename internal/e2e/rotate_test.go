package e2e_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"github.com/fondue-server/fondue/internal/e2e"
)

// TestLogsAreRotated: the access log is moved and opened anew under load, beside
// a worker that is replaced, and every request is in one of the files, once.
func TestLogsAreRotated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "access.log")
	s := e2e.Start(t, e2e.Options{Workers: 3, Flags: []string{"--access-log", path}})
	load := e2e.StartLoad(t, s.Addrs[0], e2e.LoadOptions{KeepAlive: 8, NewConn: 4, Path: "/increment?key=k"})
	files := []string{path}
	for n := range 5 {
		pause(load)
		if n%2 == 1 {
			s.Signal(syscall.SIGHUP)
		}
		moved := fmt.Sprintf("%s.%d", path, n)
		if err := os.Rename(path, moved); err != nil {
			t.Fatal(err)
		}
		files = append(files, moved)
		s.Signal(syscall.SIGUSR1)
		e2e.Eventually(t, requestsLimit, "lines in the new file", func() bool {
			b, err := os.ReadFile(path)
			return err == nil && len(b) > 0
		})
	}
	pause(load)
	load.Stop()
	wantExact(t, count(t, s, "k"), load)
	s.Stop()

	line := regexp.MustCompile(`^127\.0\.0\.1 - - \[[^]]+\] "POST /increment\?key=k HTTP/1\.1" 200 \d+ pid=\d+ slot=\d+$`)
	lines := int64(0)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for l := range bytes.Lines(b) {
			if l = bytes.TrimSuffix(l, []byte("\n")); bytes.Contains(l, []byte("POST")) {
				lines++
				if !line.Match(l) {
					t.Errorf("%s: %q", file, l)
				}
			}
		}
	}
	if acked := load.Acked.Load(); lines != acked {
		t.Errorf("%d lines of %d requests", lines, acked)
	}
}
