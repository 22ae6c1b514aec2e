package master

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
)

// openTries bounds how often another process may create or remove the file
// between a look and the act.
const openTries = 3

// errMoved: the path got another file since it was opened.
var errMoved = errors.New("region was replaced meanwhile")

// tenancy is this master's hold on the region at a path.
type tenancy struct {
	region *shm.Region
	store  *shm.Store
	// restore brings back what the path held before, after a start that failed.
	// It is nil when nothing was replaced.
	restore func() error
}

// leave gives the master's slot back. The file stays for the next start.
func (t *tenancy) leave() error { return errors.Join(t.store.Detach(), t.region.Close()) }

// undo leaves and takes back what the start did to the path.
func (t *tenancy) undo() error {
	err := t.leave()
	if t.restore != nil {
		err = errors.Join(err, t.restore())
	}
	return err
}

// settler opens or creates the region that the configuration asks for.
type settler struct {
	cfg   *Config
	log   *slog.Logger
	pause func(time.Duration) error // fails when the master is told to stop
	inUse string                    // what to do about a region that another master owns
	small string                    // what to do about one that was not made for the values asked for
}

func (m *Master) settler() *settler {
	return &settler{
		cfg: &m.cfg, log: m.cfg.Log, pause: m.pause,
		inUse: "--join shares it, or choose another path with --region",
		small: "start with --fresh and this --max-value to make another region",
	}
}

func (m *Master) settle() (err error) {
	s := m.settler()
	if m.tenancy, err = s.settle(); err == nil {
		m.undo = append(m.undo, func() error { return m.tenancy.undo() }) // of the one that it is then
	}
	return err
}

// settle attaches to the region. On an error the path holds what it held, or what
// another process has made of it.
func (s *settler) settle() (*tenancy, error) {
	path := s.cfg.Region
	for range openTries {
		region, err := shm.Open(path)
		var t *tenancy
		switch {
		case err == nil:
			t, err = s.existing(region)
		case s.cfg.Upgrade != nil && errors.Is(err, fs.ErrNotExist):
			err = fmt.Errorf("region %s: its file was removed, and what it holds ends with the running server; only a restart makes a new one, which begins empty", path)
		case s.cfg.Join && errors.Is(err, fs.ErrNotExist):
			err = fmt.Errorf("%s: %w; start the first server without --join", path, shm.ErrNoMaster)
		case s.cfg.Join:
			err = advise(err)
		case errors.Is(err, fs.ErrNotExist):
			t, err = s.create(nil)
		case errors.Is(err, shm.ErrOtherBoot):
			t, err = s.afterBoot()
		case s.cfg.Fresh && (errors.Is(err, shm.ErrDamaged) || errors.Is(err, shm.ErrTruncated) || errors.Is(err, shm.ErrVersion)):
			t, err = s.unreadable(err)
		default:
			err = advise(err)
		}
		if errors.Is(err, shm.ErrExists) || errors.Is(err, errMoved) || errors.Is(err, errGrown) {
			continue // another start was faster, or there is another file; look again
		}
		return t, err
	}
	return nil, fmt.Errorf("region %s: other processes keep creating and removing it", path)
}

// advise adds what to do about a region that cannot be opened.
func advise(err error) error {
	switch {
	case errors.Is(err, shm.ErrNotRegion):
		return fmt.Errorf("region %w; it was not touched, choose another path with --region", err)
	case errors.Is(err, shm.ErrVersion):
		return OtherLayout(err)
	case errors.Is(err, shm.ErrNotPrivate), errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("region %w; serve it as the user who made it (--user), or choose another path with --region", err)
	case errors.Is(err, shm.ErrOtherBoot):
		return fmt.Errorf("region %w: nobody serves it; without --join it is set aside and the store begins empty", err)
	case errors.Is(err, shm.ErrDamaged), errors.Is(err, shm.ErrTruncated):
		return fmt.Errorf("region %w; it was not touched, a start with --fresh sets it aside and begins empty", err)
	}
	return fmt.Errorf("region %w", err)
}

// OtherLayout adds the way out to shm.ErrVersion, which every command that
// opens a region may meet.
func OtherLayout(err error) error {
	return fmt.Errorf("region %w: it was made by a version with another region layout and was not touched; "+
		"dump it with the version that wrote it (fondue dump > FILE), start this one with --fresh, and load FILE (fondue load --join FILE). "+
		"A version of layout 1 has no dump: start it on this region, and read its counters by GET /report?key=KEY", err)
}

// existing attaches to a region that can be read.
func (s *settler) existing(region *shm.Region) (*tenancy, error) {
	store, repaired, err := s.attach(region)
	if err != nil {
		return nil, errors.Join(err, region.Close())
	}
	t := &tenancy{region: region, store: store}
	if !s.stillThere(region) {
		return nil, errors.Join(errMoved, t.leave())
	}
	logRecoveries(s.log, repaired)
	if s.cfg.Fresh {
		// Attached, it is proven that nobody uses it, and stays so until it has
		// its new name.
		fresh, err := s.create(func() (string, error) { return s.setAside("aside-" + timestamp()) })
		return fresh, errors.Join(err, t.leave())
	}
	err = s.fits(region)
	if err == nil && !s.cfg.Join {
		err = removeDraft(s.cfg.Region)
	}
	if err == nil && !s.cfg.Join && s.cfg.wantsMore(region.Info()) {
		if err = s.grow(t); err == nil {
			err = errGrown
		}
	}
	if err != nil {
		return nil, errors.Join(err, t.leave())
	}
	return t, nil
}

// stillThere reports whether the path leads to this region: another start may
// have set it aside before this one was attached, and none can after.
func (s *settler) stillThere(region *shm.Region) bool {
	mine, err := region.File().Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(s.cfg.Region)
	return err == nil && os.SameFile(mine, now)
}

// fits checks a region that was there before against what is asked for.
func (s *settler) fits(region *shm.Region) error {
	info := region.Info()
	if s.cfg.Workers > info.Slots {
		return fmt.Errorf("region %s has %d worker slots and %d workers are asked for; use fewer, or --fresh with --max-workers %d", info.Path, info.Slots, s.cfg.Workers, s.cfg.Workers)
	}
	if s.cfg.MaxValue > info.LargestValue {
		return fmt.Errorf("region %s: its shards hold values of up to %d bytes, and --max-value %d asks for more; "+
			"%s, or give a smaller one", info.Path, info.LargestValue, s.cfg.MaxValue, s.small)
	}
	if s.cfg.Join {
		return nil // its master has checked it, and others write to it now
	}
	if report := region.Check(); !report.OK() {
		return advise(fmt.Errorf("%s: %w: %d violations, `fondue check` lists them", info.Path, shm.ErrDamaged, len(report.Violations)))
	}
	if page := int64(os.Getpagesize()); s.cfg.RegionSize/page != info.Size/page && !s.cfg.wantsMore(info) {
		s.log.Info("the region keeps its size; --fresh makes a new one, and a larger --region-size lets it grow", "region", info.Path, "size", info.Size, "asked", s.cfg.RegionSize)
	}
	return nil
}

// attach takes a master's slot, after the workers of a killed master have left.
func (s *settler) attach(region *shm.Region) (*shm.Store, []shm.Recovery, error) {
	orphans := vigil{region: s.cfg.Region, log: s.log, pause: s.pause}
	for {
		store, repaired, err := region.AttachMaster(s.cfg.Join)
		switch {
		case err == nil:
			store.SetPolicy(s.cfg.policy())
			return store, repaired, nil
		case errors.Is(err, shm.ErrInUse):
			err = fmt.Errorf("region %s: %w; %s", s.cfg.Region, err, s.inUse)
		case errors.Is(err, shm.ErrNoMaster):
			err = fmt.Errorf("region %s: %w; run this without --join", s.cfg.Region, err)
		case !errors.Is(err, shm.ErrOrphans):
			err = fmt.Errorf("region %s: %w", s.cfg.Region, err)
		default:
			again, stopped := orphans.wait(err)
			if stopped != nil {
				return nil, nil, stopped
			}
			if again {
				continue
			}
			err = fmt.Errorf("region %s: %w; end them", s.cfg.Region, err)
		}
		return nil, nil, err
	}
}

// afterBoot starts empty: what memory held when the host went down cannot be
// told from what it should have held.
func (s *settler) afterBoot() (*tenancy, error) {
	suffix := "previous-boot"
	if s.cfg.Fresh {
		suffix = "aside-" + timestamp()
	}
	return s.create(func() (string, error) {
		kept, err := s.setAside(suffix)
		if err == nil {
			s.log.Warn("the region was written before the last reboot and is not trusted: the store starts empty", "region", s.cfg.Region, "kept", kept)
		}
		return kept, err
	})
}

// unreadable sets aside a region that cannot be opened, on request. Its
// scoreboard cannot be read, but whoever uses it holds some lock on it.
func (s *settler) unreadable(why error) (*tenancy, error) {
	f, err := os.Open(s.cfg.Region)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	whole := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &whole); err != nil {
		return nil, fmt.Errorf("region %s: %w", s.cfg.Region, err)
	}
	if whole.Type != unix.F_UNLCK {
		return nil, fmt.Errorf("region %w, and %w: a running process holds it", why, shm.ErrInUse)
	}
	return s.create(func() (string, error) { return s.setAside("aside-" + timestamp()) })
}

// setAside renames the file. A file of an earlier boot replaces the one of the
// boot before.
func (s *settler) setAside(suffix string) (kept string, err error) {
	kept = s.cfg.Region + "." + suffix
	if err := os.Rename(s.cfg.Region, kept); errors.Is(err, fs.ErrNotExist) {
		return "", errMoved
	} else if err != nil {
		return "", fmt.Errorf("set region %s aside: %w", s.cfg.Region, err)
	}
	if s.cfg.Fresh {
		s.log.Info("the region was set aside", "region", s.cfg.Region, "kept", kept)
	}
	return kept, nil
}

// timestamp tells the files set aside apart; sorted by name they are in order.
func timestamp() string { return time.Now().UTC().Format("20060102T150405.000000Z") }

// create makes a new region after moving away what is at its path.
func (s *settler) create(away func() (kept string, err error)) (*tenancy, error) {
	path := s.cfg.Region
	restore := func() error { return nil }
	if away != nil {
		kept, err := away()
		if err != nil {
			return nil, err
		}
		restore = func() error {
			err := os.Rename(kept, path)
			if err == nil {
				s.log.Info("the region that was set aside is back", "region", path)
			}
			return err
		}
	}
	region, err := shm.Create(path, shm.Geometry{Size: s.cfg.RegionSize, Slots: s.cfg.MaxWorkers, MaxValue: s.cfg.MaxValue})
	if err != nil {
		if errors.Is(err, shm.ErrNoSpace) || errors.Is(err, shm.ErrTooLarge) {
			err = fmt.Errorf("%w; choose a smaller --region-size or another place with --region", err)
		}
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w; make a directory that this user may write to, or choose another path with --region", err)
		}
		if errors.Is(err, shm.ErrExists) {
			return nil, err // another start was faster: what it made is not ours to replace
		}
		return nil, errors.Join(fmt.Errorf("region %s: %w", path, err), restore())
	}
	takeBack := func() error { return errors.Join(os.Remove(path), restore()) }
	store, _, err := s.attach(region)
	if err != nil {
		err = errors.Join(err, region.Close())
		if !errors.Is(err, shm.ErrInUse) && !errors.Is(err, shm.ErrOrphans) { // else another start has it by now
			err = errors.Join(err, takeBack())
		}
		return nil, err
	}
	return &tenancy{region: region, store: store, restore: takeBack}, nil
}
