package e2e

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// adoptOrphans makes this process the parent of those whose own has ended: a
// master that took over from another one is waited for like any other.
func adoptOrphans() error {
	const setChildSubreaper = 36 // PR_SET_CHILD_SUBREAPER of linux/prctl.h
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
		return os.NewSyscallError("prctl", errno)
	}
	return nil
}

// Upgrade sends USR2 and waits until another master has taken over and the old
// one has ended. From then on the Server is the new one.
func (s *Server) Upgrade() {
	s.tb.Helper()
	s.BeginUpgrade()
	s.Upgraded()
}

// BeginUpgrade sends USR2.
func (s *Server) BeginUpgrade() {
	s.tb.Helper()
	s.Signal(syscall.SIGUSR2)
}

// Upgraded waits for the end of an upgrade that was begun.
func (s *Server) Upgraded() {
	s.tb.Helper()
	old := s.process
	select {
	case <-old.exited:
	case <-time.After(exitLimit):
		s.tb.Fatalf("the master did not leave within %v; the log:\n%s", exitLimit, s.Log())
	}
	if code := old.state.ExitCode(); code != 0 {
		s.tb.Fatalf("the master that was followed ended with %v; the log:\n%s", old.state, s.Log())
	}
	// The log may come after the end of who wrote it.
	Eventually(s.tb, readyLimit, "the old master to say who has followed", func() bool {
		next := s.said("upgraded:")
		return next != 0 && next != s.PID
	})
	s.follow(s.said("upgraded:"))
}

// follow makes another master the Server's, which has taken over.
func (s *Server) follow(pid int) {
	s.tb.Helper()
	if pid == 0 || pid == s.PID {
		s.tb.Fatalf("the master left, and nobody has followed; the log:\n%s", s.Log())
	}
	next, err := os.FindProcess(pid)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.PID, s.process, s.settled = pid, watchProcess(next), false
	line, ok := s.log.waitReady(s.process.exited, readyLimit, pid)
	if !ok {
		s.tb.Fatalf("the new master is not ready; the log:\n%s", s.Log())
	}
	s.Addrs = line.addresses()
	if exe, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe"); err == nil {
		s.programs[strings.TrimSuffix(exe, " (deleted)")] = true
	}
	s.remember()
}

// Heir is the pid of the last process that an upgrade has started, 0 for none.
func (s *Server) Heir() int { return s.said("upgrading:") }

// endHeirs ends the processes of upgrades that a failed test has lost sight of.
func (s *Server) endHeirs() {
	for _, pid := range s.pidsSaid("upgrading:") {
		if s.isOurs(pid) {
			s.tb.Errorf("the new master %d is left", pid)
			_ = syscall.Kill(pid, syscall.SIGKILL) // or it has ended
		}
	}
}

// said is the last of pidsSaid, 0 for none.
func (s *Server) said(what string) int {
	if pids := s.pidsSaid(what); len(pids) > 0 {
		return pids[len(pids)-1]
	}
	return 0
}

// pidsSaid are the pids in the lines of the log that begin so.
func (s *Server) pidsSaid(what string) (pids []int) {
	for line := range strings.Lines(s.Log()) {
		var l struct {
			Message string `json:"msg"`
			PID     int    `json:"pid"`
		}
		if json.Unmarshal([]byte(line), &l) == nil && strings.HasPrefix(l.Message, what) {
			pids = append(pids, l.PID)
		}
	}
	return pids
}

// KillHeir ends the process that an upgrade has started, unless it has ended.
func (s *Server) KillHeir(pid int) {
	s.tb.Helper()
	_ = syscall.Kill(pid, syscall.SIGKILL) // or it has ended
	Eventually(s.tb, exitLimit, "the new master to end", func() bool { return !runs(pid) })
}

// Survivor waits until an upgrade in which one of the masters was killed has come
// to its end, and tells who serves: "old", "new" or "nobody".
func (s *Server) Survivor(heir int) string {
	s.tb.Helper()
	for deadline := time.Now().Add(exitLimit); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		_, tookOver := findReady(s.Log(), heir)
		oldRuns, newRuns := s.Running(), runs(heir)
		switch {
		case oldRuns && !newRuns && strings.Contains(s.Log(), "this server goes on"):
			return "old"
		case !oldRuns && newRuns && tookOver:
			s.follow(heir)
			return "new"
		case !oldRuns && !newRuns:
			s.settled = true
			return "nobody"
		}
	}
	s.tb.Fatalf("the upgrade does not end; the log:\n%s", s.Log())
	return ""
}

// runs tells whether a process is there and no zombie.
func runs(pid int) bool {
	parent, state := parentOf(pid)
	return parent != 0 && state != 'Z'
}
