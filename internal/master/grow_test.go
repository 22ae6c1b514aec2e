package master

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
)

// settleOnce attaches to the region as a start does, and leaves it.
func settleOnce(t *testing.T, cfg Config) (shm.Info, error) {
	t.Helper()
	s := settler{cfg: &cfg, log: cfg.Log, pause: func(time.Duration) error { return nil }}
	tenancy, err := s.settle()
	if err != nil {
		return shm.Info{}, err
	}
	info := tenancy.region.Info()
	if err := tenancy.leave(); err != nil {
		t.Fatal(err)
	}
	return info, nil
}

func TestGrow(t *testing.T) {
	cfg := testConfig(t)
	makeRegion(t, cfg, "count", 7)
	small := cfg.RegionSize
	for _, c := range []struct {
		name string
		size int64
		grow bool
		want int64
	}{
		{"the default is larger", 2 * small, false, small},
		{"a smaller one is asked for", small / 2, true, small},
		{"a larger one is asked for", 3 * small, true, 3 * small},
		{"the same again", 3*small + 5, true, 3 * small}, // whole pages
		{"an earlier start has died on the way", 4 * small, true, 4 * small},
		{"and another has died, and none is wanted", 4 * small, false, 4 * small},
	} {
		if strings.Contains(c.name, "died") {
			if err := os.WriteFile(cfg.Region+growing, []byte("half a region"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cfg.RegionSize, cfg.Grow = c.size, c.grow
		info, err := settleOnce(t, cfg)
		if err != nil || info.Size != c.want {
			t.Errorf("%s: %d bytes, %v; want %d", c.name, info.Size, err, c.want)
		}
		if n := value(t, cfg.Region, "count"); n != 7 {
			t.Errorf("%s: the region holds %d, want 7", c.name, n)
		}
		if names := beside(t, cfg); len(names) != 1 {
			t.Errorf("%s: left in the directory: %v", c.name, names)
		}
	}
}

// A region that cannot grow is as it was.
func TestGrowRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, c *Config)
		want  error
	}{
		"too large": {func(t *testing.T, c *Config) { c.RegionSize = 1 << 50 }, shm.ErrGeometry},
		"in use": {func(t *testing.T, c *Config) {
			region, err := shm.Open(c.Region)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { region.Close() })
			if _, _, err := region.AttachMaster(false); err != nil {
				t.Fatal(err)
			}
		}, shm.ErrInUse},
		"values that do not fit": {func(t *testing.T, c *Config) {
			// A shard of the larger one is smaller, since there are more of them.
			region, err := shm.Open(c.Region)
			if err != nil {
				t.Fatal(err)
			}
			defer region.Close()
			store, _, err := region.AttachMaster(false)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Detach()
			large := region.Info().LargestValue
			store.SetPolicy(shm.Policy{MaxValue: large})
			if _, err := store.Put([]byte("large"), shm.Put{Value: shm.BytesValue(make([]byte, large))}); err != nil {
				t.Fatal(err)
			}
			c.RegionSize += c.RegionSize / 4
			c.MaxWorkers = shm.MaxSlots
		}, shm.ErrValueTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			makeRegion(t, cfg, "count", 7)
			cfg.RegionSize, cfg.Grow = cfg.RegionSize*2, true
			c.spoil(t, &cfg)
			before := content(t, cfg.Region)
			if _, err := settleOnce(t, cfg); err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v", err)
			}
			if len(content(t, cfg.Region)) != len(before) {
				t.Error("the region has another size")
			}
			if c.want == shm.ErrInUse {
				return
			}
			if n := value(t, cfg.Region, "count"); n != 7 {
				t.Errorf("the region holds %d, want 7", n)
			}
			if names := beside(t, cfg); len(names) != 1 {
				t.Errorf("left in the directory: %v", names)
			}
		})
	}
}
