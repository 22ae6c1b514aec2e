package logging

import (
	"errors"
	"os"
	"syscall"
)

// ErrNoReader: a named pipe that nobody reads, which would wait for a reader.
var ErrNoReader = errors.New("nobody reads this pipe; start its reader first, or name a file")

// OpenToAppend opens a file that several processes write whole lines into, and
// makes it if it is not there. Errors: ErrNoReader, and those of the system.
func OpenToAppend(path string) (*os.File, error) {
	fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_APPEND|syscall.O_CREAT|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0o640)
	if errors.Is(err, syscall.ENXIO) {
		return nil, ErrNoReader
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		syscall.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}
