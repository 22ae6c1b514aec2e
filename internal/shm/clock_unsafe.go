package shm

import _ "unsafe" // for go:linkname

// nanotime is the host's monotonic clock in ns: the same for every process,
// never set, read without a system call.
//
//go:linkname nanotime runtime.nanotime
func nanotime() int64
