package master

import (
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// service is what a service manager is told, by the protocol of sd_notify(3).
// Without one ($NOTIFY_SOCKET) nobody is told anything.
type service struct {
	tell func(state string)
	// pulse is how often it wants to hear of this process; 0: never.
	pulse  time.Duration
	pulsed time.Time
}

func (m *Master) newService() service {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		m.cfg.Log.Warn("the service manager's watchdog is left out", "reason", err)
	}
	return service{
		// Half of the interval, as the protocol asks for.
		pulse: interval / 2,
		tell: func(state string) {
			if _, err := daemon.SdNotify(false, state); err != nil {
				m.cfg.Log.Warn("the service manager is not told", "state", state, "reason", err)
			}
		},
	}
}

// ready is told at the end of the start, and of a reload.
func (s *service) ready(workers int) {
	s.tell(fmt.Sprintf("%s\nSTATUS=serving with %d workers", daemon.SdNotifyReady, workers))
}

func (s *service) reloading() {
	now := unix.Timespec{}
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // a clock that Linux has
	s.tell(fmt.Sprintf("%s\nMONOTONIC_USEC=%d\nSTATUS=replacing the workers", daemon.SdNotifyReloading, now.Nano()/1000))
}

// leave tells that another process is the service's main one, and is ready. It
// speaks for the service from here on.
func (s *service) leave(pid int) {
	s.tell(fmt.Sprintf("MAINPID=%d\n%s", pid, daemon.SdNotifyReady))
	*s = service{tell: func(string) {}}
}

func (s *service) stopping() {
	s.tell(daemon.SdNotifyStopping + "\nSTATUS=answering the last requests")
}

// alive tells that the master's loop goes round.
func (s *service) alive(now time.Time) {
	if s.pulse > 0 && now.Sub(s.pulsed) >= s.pulse {
		s.pulsed = now
		s.tell(daemon.SdNotifyWatchdog)
	}
}
