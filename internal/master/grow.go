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
	if err := next.leave(); err != nil {
		return err
	}
	return takePlace(s.cfg.Region)
}

// larger makes a region of the size that is asked for, with the content of the
// one that is there, which nobody changes meanwhile. It has the draft's name, and
// undo removes it.
func (s *settler) larger(t *tenancy) (next *tenancy, err error) {
	began := time.Now()
	path, info := s.cfg.Region, t.region.Info()
	defer func() {
		if err != nil {
			err = fmt.Errorf("region %s could not grow from %d to %d bytes, and is as it was: %w; give another --region-size, or none", path, info.Size, s.cfg.RegionSize, err)
		}
	}()
	draft := path + growing
	remove := func() error { return os.Remove(draft) }
	if err := removeDraft(path); err != nil {
		return nil, err
	}
	region, err := shm.Create(draft, shm.Geometry{Size: s.cfg.RegionSize, Slots: max(s.cfg.MaxWorkers, info.Slots), MaxValue: s.cfg.MaxValue})
	if err != nil {
		return nil, err
	}
	store, _, err := region.AttachMaster(false)
	if err != nil {
		return nil, errors.Join(err, region.Close(), remove())
	}
	next = &tenancy{region: region, store: store, restore: remove}
	store.SetPolicy(shm.Policy{MaxValue: region.Info().LargestValue}) // whatever limit values were set under
	keys, err := t.store.CopyTo(store)
	if err != nil {
		return nil, errors.Join(err, next.undo())
	}
	store.SetPolicy(s.cfg.policy())
	s.log.Info("the region grows: all that it holds was copied into a larger one", "region", path, "from", info.Size, "to", region.Info().Size, "keys", keys, "after", time.Since(began).Round(time.Millisecond))
	return next, nil
}

// takePlace gives the draft the region's name.
func takePlace(path string) error { return os.Rename(path+growing, path) }
