package master

import (
	"errors"
	"fmt"
	"os"

	"github.com/fondue-server/fondue/internal/listen"
	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
)

func (m *Master) openListeners() error {
	m.undo = append(m.undo, m.closeListeners)
	orphans := vigil{region: m.cfg.Region, log: m.cfg.Log, pause: m.pause}
	specs := m.unopened()
	inherited := make([]*listen.Listener, len(specs))
	for i, spec := range specs {
		l, err := m.inheritListener(spec)
		if err != nil {
			return err
		}
		if l != nil {
			inherited[i] = l
			m.listeners = append(m.listeners, l)
		}
	}
	for i, spec := range specs {
		if inherited[i] != nil {
			continue
		}
		l, err := listen.Open(spec, m.seats(), m.cfg.Accept)
		if errors.Is(err, listen.ErrInUse) {
			if other := m.listenerOf(spec); other != "" {
				return valueErrorf("--listen %s: it is the address of --listen %s in another spelling; give one of them", spec, other)
			}
		}
		for errors.Is(err, listen.ErrInUse) && isAbandoned(m.cfg.Region) {
			again, stopped := orphans.wait(err)
			if stopped != nil {
				return stopped
			}
			if !again {
				break
			}
			l, err = listen.Open(spec, m.seats(), m.cfg.Accept)
		}
		if err != nil {
			return err
		}
		m.listeners = append(m.listeners, l)
	}
	if err := m.closeUnserved(); err != nil {
		return err
	}
	return m.steerByCPU()
}

// steerByCPU has the listeners be steered so, where that is asked for. A lender's
// are its own to steer until the hand-over, when all are steered anew.
func (m *Master) steerByCPU() error {
	if !m.cfg.SteerByCPU {
		return nil
	}
	cpus, err := m.cfg.arrivals()
	if err != nil {
		return fmt.Errorf("--steer cpu: %w", err)
	}
	steered := false
	for _, l := range m.listeners {
		if l.IsShared() {
			continue
		}
		steered = true
		l.SteerByCPU(cpus)
		if m.lender != nil {
			continue
		}
		if err := l.Steer(nil); err != nil {
			return fmt.Errorf("--steer cpu: --listen %s: %w; leave it out where the kernel does not allow it", l.Spec(), err)
		}
	}
	if !steered {
		return &ValueError{errNotSteerable.Error()}
	}
	return nil
}

// listenerOf returns what was given for the listener that has the address
// already, "" if none of this server's has.
func (m *Master) listenerOf(spec listen.Spec) string {
	for _, l := range m.listeners {
		if l.Covers(spec) {
			return l.Spec().String()
		}
	}
	return ""
}

// isAbandoned reports whether a master was killed over the region and none has
// followed: its workers may hold the addresses until they have left. It goes by
// pids, which prove nothing; here they only decide whether to wait.
func isAbandoned(path string) bool {
	region, err := shm.OpenReadOnly(path)
	if err != nil {
		return false
	}
	defer region.Close()
	slots := region.Slots()
	for _, s := range slots {
		if s.Master && s.PID != os.Getpid() && !errors.Is(unix.Kill(s.PID, 0), unix.ESRCH) {
			return false
		}
	}
	return len(slots) > 0
}

func (m *Master) closeListeners() error {
	var all error
	for _, l := range m.listeners {
		all = errors.Join(all, l.Close())
	}
	m.listeners = nil
	return all
}

func (m *Master) closeDoors() error {
	var all error
	for _, l := range m.listeners {
		all = errors.Join(all, l.CloseDoor())
	}
	return all
}

func (m *Master) resizeListeners(sockets int) error {
	var all error
	for _, l := range m.listeners {
		all = errors.Join(all, l.Resize(sockets))
	}
	return all
}

// socketsOf are the sockets that the seat's worker alone accepts from.
func (m *Master) socketsOf(s *seat) (sockets []int) {
	for _, l := range m.listeners {
		if !l.IsShared() {
			sockets = append(sockets, l.FD(s.number))
		}
	}
	return sockets
}

func (m *Master) queued(s *seat) (connections int) {
	for _, l := range m.listeners {
		if !l.IsShared() {
			connections += l.Queued(s.number)
		}
	}
	return connections
}

func (m *Master) steer(live []bool) error {
	var all error
	for _, l := range m.listeners {
		all = errors.Join(all, l.Steer(live))
	}
	return all
}
