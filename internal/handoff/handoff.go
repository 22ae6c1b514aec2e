// Package handoff is what passes between a master and what it starts, a worker or
// its own heir: the descriptors and settings on the way down, the ready message
// and the exit code on the way up. Both sides use these types and nothing else.
package handoff

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fondue-server/fondue/internal/listen"
	"github.com/fondue-server/fondue/internal/shm"
)

// Env is the environment variable that makes a process a worker.
const Env = "FONDUE_HANDOFF"

// FirstFD is the first descriptor that a worker inherits beside stdin, stdout
// and stderr.
const FirstFD = 3

// None stands for a descriptor that was not handed over.
const None = -1

// Messages that come down a worker's lifeline, a byte each. Its end means that the
// master is gone.
const (
	// LifelineSockets comes with listening sockets that have connections in their
	// queues which nobody else accepts. The worker serves those and closes its
	// descriptors of the sockets.
	LifelineSockets = 'a'
	// LifelineLeaveQueues comes before a SIGTERM: what waits in the queues is for
	// workers that are started later.
	LifelineLeaveQueues = 'q'
	// LifelineServe lets a worker accept that was started with Wait.
	LifelineServe = 's'
)

// Exit codes of a worker. The master decides by them, so they are a contract.
const (
	ExitOK      = 0 // drained and left
	ExitFailure = 1 // failed while serving: restart
	ExitUsage   = 2 // wrong command line
	// ExitCannotBoot: the next attempt would fail too; the reason went up the
	// ready pipe. The master does not start over.
	ExitCannotBoot = 3
	// ExitSlotLost: the slot has another owner or generation.
	ExitSlotLost = 4
)

// Worker is what the master hands to one worker. The descriptors are numbers
// in the worker; each is inherited without close-on-exec.
type Worker struct {
	Slot       int    `json:"slot"`
	Generation uint32 `json:"generation"`

	RegionFD    int `json:"region_fd"`
	LifelineFD  int `json:"lifeline_fd"`   // a stream socket, see LifelineSockets
	ReadyFD     int `json:"ready_fd"`      // write end; one ready message, then closed
	AccessLogFD int `json:"access_log_fd"` // append mode, or None
	// AccessLogPath is where to open it anew when the logs were moved; "" where
	// that is not possible.
	AccessLogPath string `json:"access_log_path,omitempty"`

	// Wait: the worker says that it is ready before it accepts, which it does when
	// it is told to.
	Wait bool `json:"wait,omitempty"`

	Listeners []Listener `json:"listeners"`

	FastLane bool `json:"fast_lane"` // answer plain requests to the hot routes on an event loop

	Evict    bool  `json:"evict"`     // make room by evicting what is not used
	MaxValue int64 `json:"max_value"` // bytes of the largest value; 0 = shm.DefaultMaxValue or what fits

	LogFormat       string        `json:"log_format"`
	LogLevel        string        `json:"log_level"`
	ShutdownTimeout time.Duration `json:"shutdown_timeout"` // nanoseconds
	Procs           int           `json:"procs"`            // GOMAXPROCS
	CPUs            []int         `json:"-"`                // that it is bound to when it starts; none = any
	SchedPolicy     string        `json:"-"`                // that it has when it starts; "" = its master's
	MemoryLimit     int64         `json:"memory_limit"`     // bytes, GOMEMLIMIT; 0 = none
}

// Listener is one inherited listening socket. It is non-blocking, and it has
// to stay so: the description behind it is shared with the master, and when
// Shared also with the other workers.
type Listener struct {
	FD      int    `json:"fd"`
	Network string `json:"network"` // "tcp" or "unix"
	Addr    string `json:"addr"`    // as bound, for the log
	Shared  bool   `json:"shared"`
	// Kept: somebody outside of this server keeps the socket, and it is never this
	// server's to close its door.
	Kept bool `json:"kept,omitempty"`
}

// ID is the worker's identity in the region.
func (w Worker) ID() shm.ID { return shm.ID{Slot: w.Slot, Generation: w.Generation} }

// Policy is how the worker's store treats what does not fit.
func (w Worker) Policy() shm.Policy { return shm.Policy{Evict: w.Evict, MaxValue: w.MaxValue} }

// Encode returns the value of Env.
func (w Worker) Encode() (string, error) {
	if err := w.check(); err != nil {
		return "", err
	}
	b, err := json.Marshal(w)
	return string(b), err
}

// FromEnv returns what the master handed to this process. The boolean is false
// when the process is no worker.
func FromEnv(lookup func(string) (string, bool)) (Worker, bool, error) {
	text, found := lookup(Env)
	if !found {
		return Worker{}, false, nil
	}
	var w Worker
	if err := json.Unmarshal([]byte(text), &w); err != nil {
		return Worker{}, true, fmt.Errorf("%s cannot be read: %w", Env, err)
	}
	if err := w.check(); err != nil {
		return Worker{}, true, err
	}
	return w, true, nil
}

func (w Worker) check() error {
	if len(w.Listeners) == 0 {
		return fmt.Errorf("%s names no listener", Env)
	}
	if w.MaxValue < 0 || w.MaxValue > shm.MaxMaxValue {
		return fmt.Errorf("%s: values of up to %d bytes, 0 to %d are possible", Env, w.MaxValue, shm.MaxMaxValue)
	}
	d := descriptors{variable: Env}
	err := errors.Join(d.add("region", w.RegionFD), d.add("lifeline", w.LifelineFD), d.add("ready pipe", w.ReadyFD))
	if w.AccessLogFD != None {
		err = errors.Join(err, d.add("access log", w.AccessLogFD))
	}
	for _, l := range w.Listeners {
		err = errors.Join(err, d.add("listener "+l.Addr, l.FD))
		if l.Network != listen.TCP && l.Network != listen.Unix {
			err = errors.Join(err, fmt.Errorf("%s: listener %s has network %q", Env, l.Addr, l.Network))
		}
	}
	return err
}

// descriptors finds those that are missing or given twice: closing one of them
// would close the other.
type descriptors struct {
	variable string
	what     map[int]string
}

func (d *descriptors) add(what string, fd int) error {
	if fd < FirstFD {
		return fmt.Errorf("%s: descriptor of the %s is %d", d.variable, what, fd)
	}
	if other, taken := d.what[fd]; taken {
		return fmt.Errorf("%s: descriptor %d is both %s and %s", d.variable, fd, other, what)
	}
	if d.what == nil {
		d.what = map[int]string{}
	}
	d.what[fd] = what
	return nil
}
