package master

import (
	"errors"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/fondue-server/fondue/internal/listen"
	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
)

// errStopped: the master was told to stop before it had started.
var errStopped = errors.New("stopped during the start")

// Master is one server. It runs once.
type Master struct {
	cfg Config

	signals  chan os.Signal
	children chan os.Signal

	pidFile   pidFile
	accessLog int // descriptor, or handoff.None; open until the process ends
	listeners []*listen.Listener
	tenancy   *tenancy
	filled    filling
	lender    *lender // nil: none, or it has handed over
	inherited int     // sockets of each inherited address that has one a seat; 0: none
	misplaced string  // what was last said about the region's path

	// undo takes back the steps of a start that failed, last one first.
	undo []func() error
}

// New checks the configuration and leaves everything as it is.
func New(cfg Config) (*Master, error) {
	if cfg.Upgrade != nil {
		// An heir finds the region as it is.
		cfg.Join, cfg.Fresh, cfg.Preload, cfg.Args = true, false, nil, nil
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if err := cfg.SchedPolicy.try(); err != nil {
		return nil, err
	}
	return &Master{
		cfg: cfg, pidFile: pidFile{path: cfg.PIDFile},
		signals: make(chan os.Signal, 16), children: make(chan os.Signal, 1),
	}, nil
}

// Run starts the server and returns when it has stopped: nil after a graceful
// or a quick stop, or the reason for which it could not start. It takes over
// the signals of the process while it runs.
func (m *Master) Run() error {
	// A log that nobody reads any more is no reason to die. Workers inherit it.
	signal.Ignore(unix.SIGPIPE)
	signal.Notify(m.children, unix.SIGCHLD)
	signal.Notify(m.signals, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT,
		unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2, unix.SIGTTIN, unix.SIGTTOU)
	defer signal.Stop(m.signals)
	defer signal.Stop(m.children)

	err := m.serve()
	if err != nil {
		for _, step := range slices.Backward(m.undo) {
			err = errors.Join(err, step())
		}
	}
	if m.lender != nil {
		m.lender.refuse(err)
	}
	if errors.Is(err, errStopped) {
		return nil
	}
	return err
}

// serve is the life of the server. Whatever can be refused is refused before
// anything that others see is changed: the crew calls fill once every slot is
// claimed, before the first worker starts.
func (m *Master) serve() error {
	m.undo = append(m.undo, m.pidFile.remove)
	for _, step := range []func() error{m.openLender, m.cfg.checkFiles, m.pidFile.prepare, m.openAccessLog, m.takePassed, m.openListeners, m.becomeUser, m.settle, m.joinLender} {
		if err := step(); err != nil {
			return err
		}
	}
	procs, err := newHostProcesses(m.cfg.Environ)
	if err != nil {
		return err
	}
	defer procs.close()
	crew := m.newCrew(procs)
	if err := crew.run(); err != nil {
		if errors.Is(err, shm.ErrCorrupt) {
			m.filled = filling{} // to take it out could wait for a lock that nobody gives back
		}
		return err
	}
	if crew.heir != nil {
		m.cfg.Log.Info("the last worker of the old master has left", "serves", crew.heir.pid)
	} else {
		m.cfg.Log.Info("stopped")
	}
	return m.leave()
}

// leave is the end of a server that had started.
func (m *Master) leave() error {
	err := errors.Join(m.closeListeners(), m.tenancy.leave(), m.pidFile.remove())
	m.undo = nil
	return err
}

// pause waits, unless the master is told to stop.
func (m *Master) pause(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return nil
		case s := <-m.signals:
			if isEnd(s) {
				return errStopped
			}
		}
	}
}

// isEnd says whether the signal ends the server.
func isEnd(s os.Signal) bool { return s == unix.SIGTERM || s == unix.SIGINT || s == unix.SIGQUIT }
