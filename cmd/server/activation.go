package main

import "strconv"

// firstActivated is SD_LISTEN_FDS_START of sd_listen_fds(3), and maxActivated
// more than anybody passes.
const (
	firstActivated = 3
	maxActivated   = 1 << 12
)

// activated is the listening sockets that were passed to this process by the
// protocol of sd_listen_fds(3). Variables that are meant for another process, as a
// shell's that was started so, tell nothing about this one.
func activated(lookup func(string) (string, bool), pid int) ([]int, error) {
	if owner, ok := lookup("LISTEN_PID"); !ok || owner != strconv.Itoa(pid) {
		return nil, nil
	}
	text, _ := lookup("LISTEN_FDS")
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxActivated {
		return nil, usagef("LISTEN_FDS: %q is not the number of sockets that were passed to this process; unset LISTEN_PID where there are none", text)
	}
	var fds []int
	for i := range n {
		fds = append(fds, firstActivated+i)
	}
	return fds, nil
}
