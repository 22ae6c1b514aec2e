package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Worker is a row of /v1/workers, as far as tests need it.
type Worker struct {
	Slot        int    `json:"slot"`
	PID         int    `json:"pid"`
	Generation  uint32 `json:"generation"`
	State       string `json:"state"`
	Requests    uint64 `json:"requests"`
	Restarts    uint64 `json:"restarts"`
	Connections int    `json:"connections"`
}

// Workers reads the scoreboard through the server: workers of every master that
// shares the region.
func (s *Server) Workers() []Worker {
	s.tb.Helper()
	r := s.Get("/v1/workers").WantStatus(200)
	var document struct {
		Workers []Worker `json:"workers"`
	}
	target := any(&document)
	if bytes.HasPrefix(bytes.TrimSpace(r.Body), []byte("[")) {
		target = &document.Workers
	}
	if err := json.Unmarshal(r.Body, target); err != nil {
		s.tb.Fatalf("/v1/workers: %v in %s", err, r.Body)
	}
	return document.Workers
}

// Children returns the pids of this master's living workers, from the kernel.
func (s *Server) Children() []int {
	s.tb.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		s.tb.Fatal(err)
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if parent, state := parentOf(pid); parent == s.PID && state != 'Z' {
			pids = append(pids, pid)
		}
	}
	return pids
}

// parentOf returns 0 for a process that is gone.
func parentOf(pid int) (parent int, state byte) {
	fields := statOf("/proc/" + strconv.Itoa(pid) + "/stat")
	if len(fields) < 2 {
		return 0, 0
	}
	parent, _ = strconv.Atoi(fields[1])
	return parent, fields[0][0]
}

// state is that of a thread, 0 for one that is gone.
func state(pid int, thread string) byte {
	fields := statOf("/proc/" + strconv.Itoa(pid) + "/task/" + thread + "/stat")
	if len(fields) < 1 {
		return 0
	}
	return fields[0][0]
}

// statOf is what a stat file says from the state on, nothing for one that is gone.
func statOf(path string) []string {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	// The command's name, in brackets, may hold anything; what follows may not.
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
}

// Kill sends SIGKILL to a worker of this server.
func (s *Server) Kill(pid int) {
	s.tb.Helper()
	s.workers = append(s.workers, pid)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		s.tb.Fatalf("kill worker %d: %v", pid, err)
	}
}

// StopProcess sends SIGSTOP to a worker and waits until none of its threads runs.
func (s *Server) StopProcess(pid int) {
	s.tb.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		s.tb.Fatal(err)
	}
	Eventually(s.tb, exitLimit, "the worker to stop", func() bool {
		threads, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
		for _, thread := range threads {
			if state(pid, thread.Name()) != 'T' {
				return false
			}
		}
		return err == nil
	})
}

// remember notes the workers of now, for WantNoOrphans.
func (s *Server) remember() { s.workers = append(s.workers, s.Children()...) }

// WantNoOrphans asserts that no process that was once a worker of this server
// runs when the limit has passed. A stranger with a recycled pid has another
// executable.
func (s *Server) WantNoOrphans(limit time.Duration) {
	s.tb.Helper()
	deadline := time.Now().Add(limit) // of all together
	for _, pid := range s.workers {
		for s.isOurs(pid) {
			if time.Now().After(deadline) {
				s.tb.Errorf("worker %d outlived its master by %v", pid, limit)
				_ = syscall.Kill(pid, syscall.SIGKILL) // leave nothing behind
				break
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
}

// isOurs tells whether pid runs this server's executable over this region.
// Files of a process that is ending cannot be read: then it runs no more.
func (s *Server) isOurs(pid int) bool {
	exe, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	return err == nil && s.programs[strings.TrimSuffix(exe, " (deleted)")] && mapsInode(pid, s.inode)
}

// mapsInode tells whether a process maps a file, by inode: the kernel shows the
// name that the file was created by, which a region was not published under.
func mapsInode(pid int, inode uint64) bool {
	maps, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/maps")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(maps)) {
		if fields := strings.Fields(line); len(fields) > 4 && fields[4] == strconv.FormatUint(inode, 10) {
			return true
		}
	}
	return false
}

// inodeOf is 0 for a file that is not there.
func inodeOf(path string) uint64 {
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		return 0
	}
	return st.Ino
}
