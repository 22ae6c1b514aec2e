package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/e2e"
	"github.com/fondue-server/fondue/internal/shm"
)

// TestServeWithoutReader: a standard error that is full and that nobody reads
// keeps the master from nothing.
func TestServeWithoutReader(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := w.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for err == nil { // until it is full
		_, err = w.Write(make([]byte, 4096))
	}
	path := filepath.Join(t.TempDir(), "region")
	cmd := exec.Command(e2e.Binary(t), "--region", path, "--region-size", "4MiB", "--listen", "unix:"+path+".sock", "--workers", "2", "--log-level", "debug")
	cmd.Stderr = w // a file, passed on as it is; Fd makes it blocking
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	ready := func() (pids []int) {
		region, err := shm.OpenReadOnly(path)
		if err != nil {
			return nil
		}
		defer region.Close()
		for _, s := range region.Slots() {
			if !s.Master && s.State == shm.StateReady {
				pids = append(pids, s.PID)
			}
		}
		return pids
	}
	e2e.Eventually(t, 20*time.Second, "two workers", func() bool { return len(ready()) == 2 })
	for range 3 {
		victim := ready()[0]
		if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		e2e.Eventually(t, 20*time.Second, "a successor", func() bool {
			now := ready()
			return len(now) == 2 && !slices.Contains(now, victim)
		})
	}
	if err := cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("end: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the master does not end")
	}
}
