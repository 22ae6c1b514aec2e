package master

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
)

func visitConfig(cfg Config) VisitConfig {
	return VisitConfig{Region: cfg.Region, InUse: "do as you are told", RegionSize: cfg.RegionSize, MaxWorkers: cfg.MaxWorkers}
}

// enter visits a region that is there.
func enter(t *testing.T, c VisitConfig) (*Visit, error) {
	t.Helper()
	region, err := shm.Open(c.Region)
	if err != nil {
		t.Fatal(err)
	}
	return c.Enter(region)
}

// TestVisit: alone, and only alone, unless it joins.
func TestVisit(t *testing.T) {
	cfg := testConfig(t)
	makeRegion(t, cfg, "served", 7)
	c := visitConfig(cfg)
	v, err := enter(t, c)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := v.Store.Get([]byte("served")); n != 7 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if v.MaxValue != shm.DefaultMaxValue {
		t.Errorf("values of up to %d bytes", v.MaxValue)
	}
	if err := launch(t, cfg).over(); !errors.Is(err, shm.ErrInUse) {
		t.Errorf("a start during the visit: %v", err)
	}
	if err := v.Leave(); err != nil {
		t.Error(err)
	}
	c.Join = true
	if _, err := enter(t, c); !errors.Is(err, shm.ErrNoMaster) || !strings.Contains(err.Error(), "without --join") {
		t.Errorf("joining nobody: %v", err)
	}
	s := launch(t, cfg)
	ask(t, "tcp", s.addr())
	if v, err = enter(t, c); err != nil {
		t.Fatal(err)
	}
	if _, n := ask(t, "tcp", s.addr()); n != 9 {
		t.Errorf("count during a visit: %d", n)
	}
	if n, err := v.Store.Get([]byte("served")); n != 9 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if err := v.Leave(); err != nil {
		t.Error(err)
	}
	c.Join = false
	if _, err := enter(t, c); !errors.Is(err, shm.ErrInUse) || !strings.Contains(err.Error(), "do as you are told") ||
		!strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("a region in use: %v", err)
	}
	if err := s.end(unix.SIGTERM); err != nil {
		t.Error(err)
	}
	if n := value(t, cfg.Region, "served"); n != 9 {
		t.Errorf("the region holds %d", n)
	}
}

// TestVisitOutlivesTheServer: with every other master gone, the visitor frees
// what their workers left.
func TestVisitOutlivesTheServer(t *testing.T) {
	cfg := testConfig(t)
	region, err := shm.Create(cfg.Region, shm.Geometry{Size: cfg.RegionSize, Slots: cfg.MaxWorkers})
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := region.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	c := visitConfig(cfg)
	c.Join = true
	v, err := enter(t, c)
	if err != nil {
		t.Fatal(err)
	}
	id, err := other.Claim(-1)
	if err != nil {
		t.Fatal(err)
	}
	// The end of the other master, as the kernel would have it: its locks go
	// with its descriptors, and its slots stay as they are.
	if err := region.Close(); err != nil {
		t.Fatal(err)
	}
	looking, err := shm.OpenReadOnly(cfg.Region)
	if err != nil {
		t.Fatal(err)
	}
	defer looking.Close()
	waitUntil(t, "only the visitor is there", func() bool {
		slots := looking.Slots()
		return len(slots) == 1 && slots[0].Master && slots[0].Slot != id.Slot
	})
	if err := v.Leave(); err != nil {
		t.Error(err)
	}
}

func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// TestVisitANewRegion: it stays, or it is as if it had not been.
func TestVisitANewRegion(t *testing.T) {
	cfg := testConfig(t)
	c := visitConfig(cfg)
	c.MaxValue = 1536 << 10
	for _, stays := range []bool{false, true} {
		v, err := c.Create()
		if err != nil {
			t.Fatal(err)
		}
		if v.MaxValue != c.MaxValue {
			t.Errorf("values of up to %d bytes", v.MaxValue)
		}
		if _, err := v.Store.Put([]byte("large"), shm.Put{Value: shm.BytesValue(make([]byte, c.MaxValue))}); err != nil {
			t.Error(err)
		}
		if _, err := v.Store.Put([]byte("larger"), shm.Put{Value: shm.BytesValue(make([]byte, c.MaxValue+1))}); !errors.Is(err, shm.ErrValueTooLarge) {
			t.Errorf("a value above the limit: %v", err)
		}
		end := v.Undo
		if stays {
			end = v.Leave
		}
		if err := end(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(cfg.Region); (err == nil) != stays {
			t.Errorf("stays %v: %v", stays, err)
		}
	}
	if _, err := c.Create(); !errors.Is(err, shm.ErrExists) || !strings.Contains(err.Error(), "try again") {
		t.Errorf("a region that somebody else made: %v", err)
	}
	v, err := enter(t, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Undo(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(cfg.Region); err != nil {
		t.Errorf("a visit took away what it found: %v", err)
	}
	c.MaxValue = cfg.RegionSize
	if _, err := enter(t, c); err == nil || !strings.Contains(err.Error(), "--max-value") ||
		!strings.Contains(err.Error(), "name a --region") || strings.Contains(err.Error(), "--fresh") {
		t.Errorf("more than the region was made for: %v", err)
	}
}

// TestVisitOfAReplacedRegion: nothing is written into a file that is no longer
// at the path.
func TestVisitOfAReplacedRegion(t *testing.T) {
	cfg := testConfig(t)
	makeRegion(t, cfg, "served", 7)
	region, err := shm.Open(cfg.Region)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(cfg.Region, cfg.Region+".aside"); err != nil {
		t.Fatal(err)
	}
	if _, err := visitConfig(cfg).Enter(region); !errors.Is(err, errMoved) || !strings.Contains(err.Error(), "try again") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(cfg.Region); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("at the path: %v", err)
	}
}

// TestVisitRefusesDamage: what no start would serve is neither read nor
// written.
func TestVisitRefusesDamage(t *testing.T) {
	cfg := testConfig(t)
	makeRegion(t, cfg, "a key that will be damaged", 7)
	spoilt := content(t, cfg.Region)
	at := strings.Index(string(spoilt), "a key that")
	if at < 0 {
		t.Fatal("the key is not in the file")
	}
	spoilt[at] ^= 1
	if err := os.WriteFile(cfg.Region, spoilt, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := enter(t, visitConfig(cfg)); !errors.Is(err, shm.ErrDamaged) || !strings.Contains(err.Error(), "fondue check") || !strings.Contains(err.Error(), "a start with --fresh") {
		t.Errorf("%v", err)
	}
}
