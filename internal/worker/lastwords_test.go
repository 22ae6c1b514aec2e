package worker

import (
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
)

// TestLastWords: what a worker logs right before its end is in the log.
func TestLastWords(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, lane bool) {
		region, master := newRegion(t)
		p := spawn(t, region, master, lane, func(w *handoff.Worker, _ *exec.Cmd) {
			w.AccessLogFD = handoff.None // closing it would give the log time
			w.ShutdownTimeout = 50 * time.Millisecond
		})
		p.awaitReady(t)
		c, err := dial("tcp", p.addr, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, increment+"GET /cou"); err != nil {
			t.Fatal(err)
		}
		if status, _, _, err := c.receive(); status != 200 || err != nil {
			t.Fatal(status, err)
		}
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if code := p.exit(t); code != handoff.ExitOK || !strings.Contains(p.log.String(), "cut off") {
			t.Errorf("exit %d", code)
		}
	})
}
