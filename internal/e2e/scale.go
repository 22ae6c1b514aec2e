package e2e

import (
	"strings"
	"syscall"
)

// OneMore sends TTIN and waits until the master has done what it asks for. Where a
// signal of the same kind follows at once the kernel makes one of the two.
func (s *Server) OneMore() {
	s.tb.Helper()
	s.scale(syscall.SIGTTIN, "one worker more")
}

// OneLess is the same for TTOU; the worker leaves later.
func (s *Server) OneLess() {
	s.tb.Helper()
	s.scale(syscall.SIGTTOU, "one worker less")
}

func (s *Server) scale(signal syscall.Signal, done string) {
	s.tb.Helper()
	said := func() int { return strings.Count(s.Log(), `"msg":"`+done+`"`) }
	before := said()
	s.Signal(signal)
	Eventually(s.tb, exitLimit, done, func() bool { return said() > before })
}
