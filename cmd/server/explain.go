package main

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/fondue-server/fondue/internal/master"
	"github.com/fondue-server/fondue/internal/shm"
)

// explainStart adds what to do to an error of the start. The sentinel decides,
// never the text.
func explainStart(err error, c master.Config) error {
	return withAdvice(err, startAdvice(err, c))
}

func startAdvice(err error, c master.Config) string {
	switch {
	case errors.Is(err, shm.ErrInUse):
		return "give --join to share its region, or --region PATH for one of your own"
	case errors.Is(err, shm.ErrNoMaster):
		return "leave out --join to start the first server"
	case errors.Is(err, shm.ErrOrphans):
		return "they leave by themselves; try again in a moment"
	case errors.Is(err, shm.ErrNoSlot):
		return fmt.Sprintf("give fewer --workers than %d, or start --fresh with more --max-workers", c.Workers)
	case errors.Is(err, shm.ErrNoSpace), errors.Is(err, shm.ErrTooLarge):
		return "give a smaller --region-size, or a --region on a larger file system"
	case errors.Is(err, shm.ErrGeometry):
		return "change --region-size or --max-workers"
	case errors.Is(err, shm.ErrFull):
		return "start --fresh with a larger --region-size"
	case errors.Is(err, syscall.EADDRINUSE):
		return "another program listens there; stop it or give another --listen"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "this host has no such address; give another --listen"
	case errors.Is(err, syscall.EACCES) && errors.Is(err, fs.ErrPermission):
		return "ports below 1024 and files of other users need more rights"
	}
	return regionAdvice(err)
}

func regionAdvice(err error) string {
	switch {
	case errors.Is(err, shm.ErrNotRegion):
		return "the file was left as it is; name another with --region PATH"
	case errors.Is(err, shm.ErrVersion), errors.Is(err, shm.ErrDamaged), errors.Is(err, shm.ErrTruncated):
		return "the file was left as it is; serve --fresh sets it aside and begins empty"
	}
	return ""
}

// explainRegion does so for a command that only reads the region at path.
func explainRegion(err error, path string) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("region %s does not exist; name it with --region PATH", path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("region %s cannot be opened: permission denied; it belongs to the user who created it", path)
	}
	return withAdvice(err, regionAdvice(err))
}

func withAdvice(err error, advice string) error {
	if advice == "" {
		return err
	}
	return fmt.Errorf("%w; %s", err, advice)
}
