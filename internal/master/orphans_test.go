package master

import (
	"os"
	"testing"

	"github.com/fondue-server/fondue/internal/shm"
)

// A process that has the region mapped, and is no worker, is nobody's to kill,
// whatever a slot says.
func TestStrangerIsNoOrphan(t *testing.T) {
	cfg := testConfig(t)
	makeRegion(t, cfg, "count", 7)
	region, err := shm.Open(cfg.Region)
	if err != nil {
		t.Fatal(err)
	}
	defer region.Close()
	file, err := region.File().Stat()
	if err != nil {
		t.Fatal(err)
	}
	if isWorkerOver(os.Getpid(), file) {
		t.Error("this test is taken for a worker")
	}
	store, _, err := region.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	id, err := store.Claim(-1)
	if err != nil {
		t.Fatal(err)
	}
	store.Spawned(id, os.Getpid())
	if _, err := region.Attach(id); err != nil {
		t.Fatal(err)
	}
	if err := store.Detach(); err != nil { // its master is gone, as far as the slots tell
		t.Fatal(err)
	}
	if n := endOrphans(cfg.Region, cfg.Log); n != 0 {
		t.Errorf("%d were killed", n)
	}
}
