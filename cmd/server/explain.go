package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/fondue-server/fondue/internal/master"
	"github.com/fondue-server/fondue/internal/shm"
)

// explainStart passes on why the server could not start or go on. A region that
// cannot be made to the size and slots asked for is a wrong value, as is what
// the master calls one.
func explainStart(err error) error {
	if wrong := new(master.ValueError); errors.As(err, &wrong) {
		return usagef("%v", err)
	}
	if errors.Is(err, shm.ErrGeometry) {
		return usagef("--region-size, --max-workers and --max-value do not fit together: %v", err)
	}
	return err
}

// explainRegion adds what to do to the error of a command that does not serve.
func explainRegion(err error, path string) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("region %s does not exist; name it with --region PATH", path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("region %s cannot be opened: permission denied; it belongs to the user who created it", path)
	case errors.Is(err, shm.ErrVersion):
		return master.OtherLayout(err)
	case errors.Is(err, shm.ErrOtherBoot):
		return fmt.Errorf("region %w: what it holds is not trusted; the next start of the server sets it aside and begins empty", err)
	}
	return fmt.Errorf("region %w", err)
}
