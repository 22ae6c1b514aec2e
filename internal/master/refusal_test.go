package master

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
)

// TestMaxValue: a limit that the region was not made for is refused before
// anything is started, and --fresh makes a region for it.
func TestMaxValue(t *testing.T) {
	cfg := testConfig(t)
	makeRegion(t, cfg, "served", 7)
	cfg.MaxValue = 3 << 20
	if err := launch(t, cfg).over(); err == nil || !strings.Contains(err.Error(), "--max-value 3145728") || !strings.Contains(err.Error(), "--fresh") {
		t.Errorf("error: %v", err)
	}
	if n := value(t, cfg.Region, "served"); n != 7 {
		t.Errorf("the region holds %d, want 7", n)
	}
	first := cfg
	first.MaxValue = 0
	s := launch(t, first)
	s.addr()
	joined := cfg
	joined.Join = true
	if err := launch(t, joined).over(); err == nil || !strings.Contains(err.Error(), "--max-value 3145728") {
		t.Errorf("error of a second master: %v", err)
	}
	if err := s.end(unix.SIGTERM); err != nil {
		t.Error(err)
	}
	cfg.Fresh, cfg.RegionSize, cfg.FastLane = true, 16<<20, true
	s = launch(t, cfg)
	s.addr()
	if got := s.master.tenancy.region.Info().LargestValue; got < cfg.MaxValue {
		t.Errorf("the new region holds values of %d bytes, want %d", got, cfg.MaxValue)
	}
	w, _ := s.master.outfit(&seat{}, shm.ID{}, 1)
	if w.MaxValue != cfg.MaxValue || w.Evict || !w.FastLane {
		t.Errorf("handed over: %+v", w)
	}
	if err := s.end(unix.SIGTERM); err != nil {
		t.Error(err)
	}
	cfg.Region, cfg.RegionSize = cfg.Region+".small", 2<<20
	if err := launch(t, cfg).over(); !errors.Is(err, shm.ErrGeometry) {
		t.Errorf("a region that cannot hold such a value: %v", err)
	}
}

// TestOtherLayout: the way out is told, and the file is untouched.
func TestOtherLayout(t *testing.T) {
	cfg := testConfig(t)
	makeRegion(t, cfg, "served", 7)
	spoilt := otherLayout(t, cfg)
	joined := cfg
	joined.Join = true
	for _, cfg := range []Config{cfg, joined} {
		err := launch(t, cfg).over()
		if !errors.Is(err, shm.ErrVersion) {
			t.Fatalf("error: %v", err)
		}
		for _, says := range []string{
			cfg.Region, "layout version: 1 ", "another region layout", "the version that wrote it (fondue dump > FILE)", "--fresh", "load --join FILE",
			"layout 1 has no dump", "GET /report?key=KEY",
		} {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%q does not say %q", err, says)
			}
		}
	}
	if !bytes.Equal(spoilt, content(t, cfg.Region)) {
		t.Error("the file was changed")
	}
	cfg.Fresh = true
	s := launch(t, cfg)
	if _, n := ask(t, "tcp", s.addr()); n != 1 {
		t.Errorf("first count: %d", n)
	}
	if names := beside(t, cfg); len(names) != 2 {
		t.Errorf("files: %v", names)
	}
}

// otherLayout gives the region layout version 1 and returns the file.
func otherLayout(t *testing.T, cfg Config) []byte {
	t.Helper()
	spoilt := content(t, cfg.Region)
	// Magic, version, checksum of the page without itself.
	spoilt[8] = 1
	clear(spoilt[12:16])
	binary.LittleEndian.PutUint32(spoilt[12:], crc32.Checksum(spoilt[:4096], crc32.MakeTable(crc32.Castagnoli)))
	if err := os.WriteFile(cfg.Region, spoilt, 0o600); err != nil {
		t.Fatal(err)
	}
	return spoilt
}
