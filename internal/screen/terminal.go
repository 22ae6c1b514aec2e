package screen

import (
	"os"

	"golang.org/x/sys/unix"
)

// Size is a terminal's width and height. It reports false for a file that is none. A
// terminal that does not know its size has the one that they all had.
func Size(f *os.File) (width, height int, ok bool) {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0, false
	}
	if size.Col == 0 || size.Row == 0 {
		return 80, 24, true
	}
	return int(size.Col), int(size.Row), true
}
