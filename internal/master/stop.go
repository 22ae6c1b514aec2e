package master

import (
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// signal does what a signal to the master asks for.
func (c *crew) signal(sig os.Signal) {
	s, ok := sig.(syscall.Signal)
	if !ok {
		return
	}
	name := unix.SignalName(s)
	if c.heir != nil && (s == unix.SIGHUP || s == unix.SIGUSR2 || s == unix.SIGTTIN || s == unix.SIGTTOU) {
		c.log.Warn("signal is left out: an upgrade is under way", "signal", name, "pid", c.heir.pid)
		return
	}
	switch s {
	case unix.SIGINT:
		if c.interrupts++; c.interrupts > 1 {
			c.quit(name)
			return
		}
		c.stop(name)
	case unix.SIGTERM:
		c.stop(name)
	case unix.SIGQUIT:
		c.quit(name)
	case unix.SIGHUP:
		c.reload()
	case unix.SIGUSR1:
		c.reopen()
	case unix.SIGUSR2:
		c.upgrade()
	case unix.SIGTTIN:
		c.more()
	case unix.SIGTTOU:
		c.less()
	}
}

// reopen opens the logs anew, and tells the workers to do so. One that is booting
// is told when it is ready: before, the signal would end it.
func (c *crew) reopen() {
	if err := c.reopenLogs(); err != nil {
		c.log.Error("logs stay as they are", "reason", err)
		return
	}
	c.reopened = time.Now()
	for _, w := range c.workers {
		if w.phase == serving || w.phase == leaving {
			c.kill(w, unix.SIGUSR1)
		}
	}
	c.log.Info("logs reopened")
}

// stop lets every worker finish what it has.
func (c *crew) stop(signal string) {
	if c.stage != running {
		return
	}
	c.log.Info("stopping: requests in flight are answered", "signal", signal, "limit", c.limit)
	c.drain(c.limit)
}

// quit ends every worker where it is. The region stays whole: what they leave
// half done is repaired as after any death.
func (c *crew) quit(signal string) {
	if c.stage == killing {
		return
	}
	c.log.Info("stopping at once", "signal", signal)
	if c.stage == running {
		c.service.stopping()
		c.shut()
		c.letGo()
	}
	c.killAll()
	c.dismissHeir(unix.SIGKILL)
}

// drain is the graceful stop. The doors are closed before the first worker is
// told to leave: from then on no connection can enter a queue that nobody
// serves any more. With the last worker started the master closes its own
// sockets, so that an address is free as soon as its workers have emptied its
// queues, however long their requests take.
func (c *crew) drain(limit time.Duration) {
	c.stage = draining
	c.service.stopping()
	c.killAt = time.Now().Add(limit + stopGrace)
	c.dismissHeir(unix.SIGTERM)
	c.shut()
	c.endQuiet() // the queues are full, and the heir will not take over
	for _, s := range slices.Concat(c.seats, c.retired) {
		if s.worker != nil && s.worker.phase == hanging {
			s.worker, s.next = s.next, nil
		}
		switch {
		case s.worker == nil:
			// A last worker for the connections that wait in its queue.
			if c.failure == nil && !slices.Contains(c.retired, s) {
				c.start(s)
			}
		case s.worker.phase == serving:
			c.dismiss(s.worker)
			if s.next != nil {
				c.withdraw(s.next) // the one who is served empties the queue
			}
		default:
			// It is told when it is ready: before, SIGTERM would end it without
			// a look at its queue.
		}
	}
	c.letGo()
}

// letGo closes the sockets for the master. Nobody is started after this.
func (c *crew) letGo() {
	if err := c.closeListeners(); err != nil {
		c.log.Error("a listener could not be closed", "reason", err)
	}
}

// dismiss lets a worker finish what it has.
func (c *crew) dismiss(w *worker) {
	if w.phase == hanging {
		return // it is being ended
	}
	w.phase, w.due = leaving, time.Now().Add(c.limit+stopGrace)
	c.log.Debug("worker is told to leave", w.attrs()...)
	c.kill(w, unix.SIGTERM)
}

// withdraw ends a worker that is still booting.
func (c *crew) withdraw(w *worker) {
	w.phase, w.due = leaving, time.Now().Add(time.Hour)
	c.kill(w, unix.SIGKILL)
}

func (c *crew) killAll() {
	c.stage = killing
	for _, w := range c.workers {
		c.kill(w, unix.SIGKILL)
	}
}

func (c *crew) shut() {
	if err := c.closeDoors(); err != nil {
		c.log.Error("a listener could not be closed to new connections", "reason", err)
	}
}
