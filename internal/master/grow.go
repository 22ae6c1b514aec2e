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
// start removes.

// growing is the name of that file.
const growing = ".growing"

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
	began := time.Now()
	path, info := s.cfg.Region, t.region.Info()
	draft := path + growing
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("what an earlier start has left: %w", err)
	}
	keys, err := s.copyInto(draft, t.store, info)
	if err == nil {
		err = os.Rename(draft, path)
	} else if !errors.Is(err, shm.ErrExists) {
		_ = os.Remove(draft) // maybe it was never made
	}
	if err != nil {
		return fmt.Errorf("region %s could not grow from %d to %d bytes, and is as it was: %w; give another --region-size, or none", path, info.Size, s.cfg.RegionSize, err)
	}
	s.log.Info("the region has grown: all that it held is in the larger one", "region", path, "from", info.Size, "to", s.cfg.RegionSize, "keys", keys, "after", time.Since(began).Round(time.Millisecond))
	return nil
}

// copyInto makes a region with the content of another.
func (s *settler) copyInto(draft string, from *shm.Store, info shm.Info) (keys int, err error) {
	region, err := shm.Create(draft, shm.Geometry{Size: s.cfg.RegionSize, Slots: max(s.cfg.MaxWorkers, info.Slots), MaxValue: s.cfg.MaxValue})
	if err != nil {
		return 0, err
	}
	store, _, err := region.AttachMaster(false)
	if err != nil {
		return 0, errors.Join(err, region.Close())
	}
	store.SetPolicy(shm.Policy{MaxValue: region.Info().LargestValue}) // whatever limit they were set under
	keys, err = from.CopyTo(store)
	return keys, errors.Join(err, store.Detach(), region.Close())
}
