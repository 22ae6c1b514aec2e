package target

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// script starts a shell that writes the pid of its child into the file "child".
func script(t *testing.T, text string) (p *process, child int) {
	t.Helper()
	dir := t.TempDir()
	p, err := launch(dir, nil, "sh", "-c", text)
	if err != nil {
		t.Fatal(err)
	}
	err = p.await(t.Context(), func() error {
		text, err := os.ReadFile(filepath.Join(dir, "child"))
		if err == nil {
			child, err = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, child
}

// TestStopEndsWhoLeft: a descendant in a session of its own, which outlives the
// process that started it, is ended too.
func TestStopEndsWhoLeft(t *testing.T) {
	t.Parallel()
	p, child := script(t, `setsid sleep 600 & echo $! >child; trap 'exit 0' TERM; wait`)
	pids, err := p.pids()
	if err != nil || len(pids) != 2 || pids[1] != child {
		t.Errorf("processes %v, %v; want two, the second %d", pids, err, child)
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	if living(child) {
		t.Errorf("process %d is left", child)
		_ = syscall.Kill(child, syscall.SIGKILL)
	}
}

// TestStopAfterItsDeath: what a process leaves in its group when it dies is ended,
// and its pids are an error that quotes the log.
func TestStopAfterItsDeath(t *testing.T) {
	t.Parallel()
	p, child := script(t, `sleep 600 & echo $! >child; echo last words; sleep 0.2; kill -9 $$`)
	select {
	case <-p.ended:
	case <-time.After(stopLimit):
		t.Fatal("it did not end")
	}
	if pids, err := p.pids(); err == nil || !strings.Contains(err.Error(), "last words") {
		t.Errorf("processes %v, %v", pids, err)
	}
	if !living(child) {
		t.Fatal("the child did not outlive it")
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	for deadline := time.Now().Add(killLimit); living(child) && time.Now().Before(deadline); {
		time.Sleep(stopLook)
	}
	if living(child) {
		t.Errorf("process %d is left", child)
	}
}
