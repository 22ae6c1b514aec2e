package status

import (
	"fmt"
	"os"

	"github.com/fondue-server/fondue/internal/shm"
)

// Watch looks at the region of a path again and again, and follows it when another file
// takes its place: one that grew, or a new one. It is one goroutine's.
type Watch struct {
	path   string
	open   func(path string) (*shm.Region, error)
	region *shm.Region // nil: none
	file   os.FileInfo // of the region
	last   *Sample
}

// NewWatch watches a path. Its regions are opened by open, for reading.
func NewWatch(path string, open func(path string) (*shm.Region, error)) *Watch {
	return &Watch{path: path, open: open}
}

// Look compares the region with how it was at the last look. After an error, which is
// open's where there is no region, the next look tries again.
func (w *Watch) Look() (Document, error) {
	if err := w.follow(); err != nil {
		w.Close()
		return Document{}, err
	}
	now, err := Take(w.region)
	if err != nil {
		w.Close()
		return Document{}, fmt.Errorf("%s: %w", w.path, err)
	}
	d := Make(w.last, now)
	w.last = now
	return d, nil
}

// follow opens what the path leads to, unless it is open. A file that was cut off counts
// as another one: to read what it no longer has would end the process.
func (w *Watch) follow() error {
	if w.region != nil {
		info, err := os.Stat(w.path)
		if err == nil && os.SameFile(info, w.file) && info.Size() == w.file.Size() {
			return nil
		}
		w.Close()
	}
	region, err := w.open(w.path)
	if err != nil {
		return err
	}
	w.region = region
	w.file, err = region.File().Stat()
	return err
}

// Close lets go of the region.
func (w *Watch) Close() {
	if w.region != nil {
		w.region.Close() // read only: nothing can be lost
	}
	w.region, w.last = nil, nil
}
