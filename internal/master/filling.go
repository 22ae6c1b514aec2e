package master

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/fondue-server/fondue/internal/shm"
)

// filling is what this start put into a region that others may have used
// before, as far as it can be taken out again.
type filling struct {
	added   []addition
	setArgs bool
	args    []byte // as they were before; nil: never set
}

// addition is a key of --preload that was not there before.
type addition struct {
	key     []byte
	version shm.Version
}

// fill puts in place what the workers, and others, are to find. All of it is
// taken out again when a later part of the start fails.
func (m *Master) fill() error {
	info := m.tenancy.region.Info()
	advice := fmt.Sprintf("a shard of region %s holds up to %d; use shorter ones, or a larger region", info.Path, info.LargestValue)
	if err := m.cfg.checkSizes(info.LargestValue, advice); err != nil {
		return err
	}
	m.undo = append(m.undo, m.empty)
	if err := m.tenancy.store.Fits(m.cfg.Args, m.cfg.preloaded()); err != nil {
		return fmt.Errorf("--preload, --args: %w: not all fit together; give less, or a larger --region-size with --fresh", err)
	}
	// The arguments first: they are never evicted, and the keys go beside them.
	steps := []func() error{m.setArgs, m.preload, m.pidFile.place}
	if m.lender != nil {
		steps = nil // the pid file is its, still
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// preloadRounds is how often keys of --preload are set that were evicted for
// later ones, in a region that is full of others.
const preloadRounds = 10

// preload sets the keys that are not there yet.
func (m *Master) preload() error {
	evicted := 0
	for range preloadRounds {
		n, err := m.preloadOnce()
		if evicted += n; err != nil || n == 0 {
			if evicted > 0 {
				m.cfg.Log.Warn("keys were evicted to make room for those of --preload", "evicted", evicted)
			}
			return err
		}
	}
	m.cfg.Log.Warn("keys were evicted to make room for those of --preload", "evicted", evicted)
	return fmt.Errorf("--preload: %w: its keys evict each other; preload less, or give a larger --region-size with --fresh", shm.ErrFull)
}

// preloadOnce tells how many keys were evicted, which may have been its own.
func (m *Master) preloadOnce() (evicted int, err error) {
	for key, value := range m.cfg.preloaded() {
		effect, err := m.tenancy.store.Put(key, shm.Put{Value: value, If: shm.Condition{Absent: true}})
		evicted += effect.Evicted
		switch {
		case errors.Is(err, shm.ErrCondition):
			continue
		case errors.Is(err, shm.ErrFull):
			return evicted, fmt.Errorf("--preload: key %.40q: %w: not all keys fit beside what is there; preload less, or give a larger --region-size with --fresh", key, err)
		case err != nil:
			return evicted, fmt.Errorf("--preload: key %.40q: %w", key, err)
		}
		m.filled.added = append(m.filled.added, addition{key, effect.Version})
	}
	return evicted, nil
}

// setArgs replaces the start-up arguments and keeps the old ones.
func (m *Master) setArgs() (err error) {
	if m.cfg.Args == nil {
		return nil
	}
	store := m.tenancy.store
	if m.filled.args, err = store.Args(nil); err != nil {
		return fmt.Errorf("--args: %w", err)
	}
	if bytes.Equal(m.filled.args, m.cfg.Args) {
		return nil
	}
	effect, err := store.SetArgs(m.cfg.Args)
	if effect.Evicted > 0 {
		m.cfg.Log.Warn("keys were evicted to make room for --args", "evicted", effect.Evicted)
	}
	switch {
	case errors.Is(err, shm.ErrFull):
		return fmt.Errorf("--args: %w: %d bytes do not fit beside what is there; delete some keys, or give a larger --region-size with --fresh", err, len(m.cfg.Args))
	case err != nil:
		return fmt.Errorf("--args: %w", err)
	}
	m.filled.setArgs = true
	return nil
}

// empty takes back what fill did. What somebody has changed since is theirs:
// another master may share the region, and a worker that was ready before the
// start failed has answered requests.
func (m *Master) empty() error {
	var all error
	for _, a := range m.filled.added {
		err := m.tenancy.store.Remove(a.key, shm.Condition{Match: []shm.Version{a.version}})
		if err != nil && !errors.Is(err, shm.ErrCondition) && !errors.Is(err, shm.ErrNotFound) {
			all = errors.Join(all, err)
		}
	}
	if m.filled.setArgs {
		all = errors.Join(all, m.restoreArgs())
	}
	m.filled = filling{}
	return all
}

// restoreArgs comes after the keys are out again, so that there is room.
func (m *Master) restoreArgs() error {
	store := m.tenancy.store
	now, err := store.Args(nil)
	if err != nil || !bytes.Equal(now, m.cfg.Args) {
		return err
	}
	if m.filled.args == nil {
		m.filled.args = []byte("{}") // as which arguments that were never set are read
	}
	_, err = store.SetArgs(m.filled.args)
	return err
}
