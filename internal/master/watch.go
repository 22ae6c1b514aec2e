package master

import (
	"errors"
	"io/fs"
	"os"
)

// watchRegion says it, once, when the path of the region no longer leads to it.
// Nothing here can be mended: the workers go on over what they have mapped.
func (m *Master) watchRegion() {
	if m.lender != nil {
		return // the path is not this server's yet
	}
	now := ""
	mine, err := m.tenancy.region.File().Stat()
	if err != nil {
		return
	}
	switch there, err := os.Stat(m.cfg.Region); {
	case errors.Is(err, fs.ErrNotExist):
		now = "the region's file was removed: what is counted ends with the running servers, and the next start begins empty"
	case err != nil:
		return // not to be seen now is not gone
	case !os.SameFile(mine, there):
		now = "the region's file was replaced: what is counted ends with the running servers, and the next start takes the other file"
	}
	switch {
	case now == m.misplaced:
	case now == "":
		m.cfg.Log.Info("the region's file is back in its place", "region", m.cfg.Region)
	default:
		m.cfg.Log.Error(now, "region", m.cfg.Region)
	}
	m.misplaced = now
}
