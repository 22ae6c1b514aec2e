package socket

import (
	"errors"

	"golang.org/x/sys/unix"
)

// IsPermanent tells an error of accept that the socket will always give from a shortage
// (EMFILE, ENFILE, ENOBUFS, ENOMEM) and from a connection that failed before it was
// accepted.
func IsPermanent(err error) bool {
	for _, e := range []unix.Errno{unix.EBADF, unix.EINVAL, unix.ENOTSOCK, unix.EOPNOTSUPP} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
