package master

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
)

// A region has its size for good. Where a larger one is asked for, all that it
// holds is copied into a new file beside it, which then takes its place in one
// step: whoever dies before leaves the region as it was, and a file that the next
// start removes, or the master whose heir it was.

// growing is the name of that file.
const growing = ".growing"

// removeDraft removes what a process has left there. The caller has the region.
func removeDraft(path string) error {
	if err := os.Remove(path + growing); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("a larger region that was not finished cannot be removed: %w", err)
	}
	return nil
}

// errGrown: the path has a larger region now, with the same content.
var errGrown = errors.New("region has grown")

// wantsMore says whether a larger region was asked for than the one that is there.
func (c *Config) wantsMore(info shm.Info) bool {
	page := int64(os.Getpagesize())
	return c.Grow && c.RegionSize/page > info.Size/page
}

// grow puts a larger region in the place of the one that this process alone is
// attached to, and that was found whole.
func (s *settler) grow(t *tenancy) error {
	next, err := s.larger(t)
	if err != nil {
		return err
	}
	if err := s.copyInto(next, t); err != nil {
		return errors.Join(err, next.undo())
	}
	if err := next.leave(); err != nil {
		return err
	}
	return takePlace(s.cfg.Region)
}

// larger makes an empty region of the size that is asked for. It has the draft's
// name, and undo removes it.
func (s *settler) larger(t *tenancy) (next *tenancy, err error) {
	defer func() { err = s.couldNotGrow(t, err) }()
	draft := s.cfg.Region + growing
	remove := func() error { return os.Remove(draft) }
	if err := removeDraft(s.cfg.Region); err != nil {
		return nil, err
	}
	region, err := shm.Create(draft, shm.Geometry{Size: s.cfg.RegionSize, Slots: max(s.cfg.MaxWorkers, t.region.Info().Slots), MaxValue: s.cfg.MaxValue})
	if err != nil {
		return nil, err
	}
	store, _, err := region.AttachMaster(false)
	if err != nil {
		return nil, errors.Join(err, region.Close(), remove())
	}
	return &tenancy{region: region, store: store, restore: remove}, nil
}

// copyInto gives the larger region all that the one has that is there, which
// nobody changes meanwhile.
func (s *settler) copyInto(next, t *tenancy) error {
	began := time.Now()
	next.store.SetPolicy(shm.Policy{MaxValue: next.region.Info().LargestValue}) // whatever limit values were set under
	keys, err := t.store.CopyTo(next.store)
	if err != nil {
		return s.couldNotGrow(t, err)
	}
	next.store.SetPolicy(s.cfg.policy())
	s.log.Info("the region grows: all that it holds was copied into a larger one", "region", s.cfg.Region, "from", t.region.Info().Size, "to", next.region.Info().Size, "keys", keys, "after", time.Since(began).Round(time.Millisecond))
	return nil
}

func (s *settler) couldNotGrow(t *tenancy, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("region %s could not grow from %d to %d bytes, and is as it was: %w; give another --region-size, or none", s.cfg.Region, t.region.Info().Size, s.cfg.RegionSize, err)
}

// takePlace gives the draft the region's name.
func takePlace(path string) error { return os.Rename(path+growing, path) }
