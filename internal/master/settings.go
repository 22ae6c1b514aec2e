package master

import (
	"fmt"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/logging"
	"golang.org/x/sys/unix"
)

// Settings are the part of a Config that may change while the server runs: by a
// reload, for the master at once and for workers with their successors.
type Settings struct {
	Workers int

	FastLane bool // workers answer plain requests to the hot routes on an event loop

	MaxValue int64 // bytes of the largest value; 0 = shm.DefaultMaxValue, or less where no more fits
	Evict    bool  // make room by evicting what is not used

	AccessLog string // "" off, "-" standard output, or a path
	LogLevel  string // see logging.ParseLevel

	ShutdownTimeout time.Duration
	HangTimeout     time.Duration // silence of a worker that ends it; 0 = it never does
	// A worker that has answered so many requests, or has so many bytes of its
	// own, is replaced; 0 = it never is.
	MaxRequests     uint64
	MaxWorkerMemory int64
}

// differences names what is not as it was, by the names that users know.
func (s Settings) differences(old Settings) []string {
	var names []string
	for _, setting := range [...]struct {
		name string
		same bool
	}{
		{"workers", s.Workers == old.Workers},
		{"fast-lane", s.FastLane == old.FastLane},
		{"max-value", s.MaxValue == old.MaxValue},
		{"evict", s.Evict == old.Evict},
		{"access-log", s.AccessLog == old.AccessLog},
		{"log-level", s.LogLevel == old.LogLevel},
		{"shutdown-timeout", s.ShutdownTimeout == old.ShutdownTimeout},
		{"hang-timeout", s.HangTimeout == old.HangTimeout},
		{"max-requests", s.MaxRequests == old.MaxRequests},
		{"max-worker-memory", s.MaxWorkerMemory == old.MaxWorkerMemory},
	} {
		if !setting.same {
			names = append(names, setting.name)
		}
	}
	return names
}

func (s Settings) limits() limits {
	return limits{requests: s.MaxRequests, memory: uint64(s.MaxWorkerMemory)}
}

// reconfigure reads the settings again, for the master itself and for the workers
// that are started from here on. Whatever can be refused is refused before
// anything is changed.
func (m *Master) reconfigure() (Settings, error) {
	if m.cfg.Reread == nil {
		return m.cfg.Settings, nil
	}
	now, fixed, err := m.cfg.Reread()
	if err != nil {
		return Settings{}, err
	}
	if err := m.admit(now); err != nil {
		return Settings{}, err
	}
	level, err := logging.ParseLevel(now.LogLevel)
	if err != nil {
		return Settings{}, err
	}
	changed := now.differences(m.cfg.Settings)
	accessLog := m.accessLog
	if now.AccessLog != m.cfg.AccessLog {
		if accessLog, err = openAccess(now.AccessLog); err != nil {
			return Settings{}, err
		}
	}
	// From here on nothing fails.
	if len(fixed) > 0 {
		m.cfg.Log.Warn("settings have changed that count at the next start", "settings", fixed)
	}
	if len(changed) > 0 {
		m.cfg.Log.Info("settings have changed", "settings", changed)
	}
	if m.cfg.Level != nil {
		m.cfg.Level.Set(level)
	}
	m.writeAccessTo(accessLog)
	m.cfg.Settings = now
	return now, nil
}

// admit refuses what contradicts itself, or what this server was started with.
func (m *Master) admit(now Settings) error {
	if most := m.mostWorkers(); now.Workers > most {
		return fmt.Errorf("workers: this server has room for %d, not for %d; give fewer, or restart it over a new region with a larger --max-workers", most, now.Workers)
	}
	if largest := m.tenancy.region.Info().LargestValue; now.MaxValue > largest {
		return fmt.Errorf("max-value: the region's shards hold values of up to %d bytes, not of %d; give less, or restart with --fresh", largest, now.MaxValue)
	}
	next := m.cfg
	next.Settings = now
	next.Preload, next.Args = nil, nil // they counted at the start
	if err := next.check(); err != nil {
		return err
	}
	return next.checkPaths()
}

// writeAccessTo has the workers that are started from here on write their access
// log there; the others have descriptors of their own.
func (m *Master) writeAccessTo(fd int) {
	if old := m.accessLog; old != fd && old != handoff.None && old != unix.Stdout {
		unix.Close(old)
	}
	m.accessLog = fd
}
