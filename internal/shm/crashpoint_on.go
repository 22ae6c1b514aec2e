//go:build crashpoints

package shm

// crashHook, when set, is called before every store to a region and does not
// return where the test wants a process to have died.
var crashHook func()

func crashpoint() {
	if crashHook != nil {
		crashHook()
	}
}
