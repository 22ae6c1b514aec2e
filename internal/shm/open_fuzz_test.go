package shm

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// FuzzOpen changes a region file: its length and words of its superblock, with
// a checksum that is right or not. It is refused with a known error and stays as
// it was, or what is opened can be checked and told of without a step outside
// the mapping.
//
// Each 4 bytes of the input change a byte of the page: 2 of its place, one that
// replaces it and one that is added.
func FuzzOpen(f *testing.F) {
	f.Add([]byte{}, uint32(0), true)
	f.Add([]byte{8, 0, 9, 0}, uint32(0), true)                    // version
	f.Add([]byte{66, 0, 255, 1, 76, 0, 3, 0}, uint32(0), true)    // size, shards
	f.Add([]byte{112, 0, 255, 7, 120, 0, 1, 1}, uint32(0), false) // geometry, unsealed
	f.Add([]byte{}, uint32(4095), true)
	good := fuzzedRegion(f)
	f.Fuzz(func(t *testing.T, wounds []byte, cut uint32, seal bool) {
		content := bytes.Clone(good)
		for ; len(wounds) >= 4; wounds = wounds[4:] {
			at := (int(wounds[0]) | int(wounds[1])<<8) % pageSize
			content[at] = wounds[2] + wounds[3]
		}
		if seal {
			sealed(content)
		}
		content = content[:len(content)-int(cut)%(len(content)+1)]
		path := filepath.Join(t.TempDir(), "region")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, open := range []func(string) (*Region, error){Open, OpenReadOnly} {
			r, err := open(path)
			if err != nil {
				known := false
				for _, e := range openErrors {
					known = known || errors.Is(err, e)
				}
				if !known {
					t.Fatalf("opened with %v", err)
				}
				continue
			}
			if r.Info().Size != int64(len(content)) {
				t.Errorf("a file of %d bytes is opened as one of %d", len(content), r.Info().Size)
			}
			r.Check()
			r.Stats()
			r.Slots()
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, content) {
			t.Errorf("the file was changed (%v)", err)
		}
	})
}

// fuzzedRegion is the content of a region with something of everything.
func fuzzedRegion(f *testing.F) []byte {
	path := filepath.Join(f.TempDir(), "region")
	r, err := Create(path, Geometry{Size: MinSize, Slots: 4})
	if err != nil {
		f.Fatal(err)
	}
	defer r.Close()
	populate(f, r)
	content, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	return content
}
