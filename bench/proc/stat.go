// Package proc reads from /proc what processes cost: CPU and memory.
package proc

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of /proc/PID/stat: USER_HZ is 100 on every port of Linux that
// Go has.
const tick = 10 * time.Millisecond

// errGone is a process that has ended since it was listed.
var errGone = errors.New("the process has ended")

// stat is what is used of /proc/PID/stat, as times.
type stat struct {
	state        byte
	user, system time.Duration
	// Of children that have ended and been waited for, and of theirs.
	childUser, childSystem time.Duration
}

func readStat(pid int) (stat, error) {
	text, err := os.ReadFile(path(pid, "stat"))
	if err != nil {
		return stat{}, gone(err)
	}
	return parseStat(string(text))
}

// parseStat reads the fields after the name, which may have spaces and brackets.
func parseStat(text string) (stat, error) {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	const state, user = 0, 11 // fields 3 and 14 of proc_pid_stat(5)
	if len(fields) < user+4 {
		return stat{}, fmt.Errorf("/proc/PID/stat has too few fields: %q", text)
	}
	var ticks [4]time.Duration
	for i := range ticks {
		n, err := strconv.ParseInt(fields[user+i], 10, 64)
		if err != nil {
			return stat{}, fmt.Errorf("/proc/PID/stat: %w", err)
		}
		ticks[i] = time.Duration(n) * tick
	}
	return stat{fields[state][0], ticks[0], ticks[1], ticks[2], ticks[3]}, nil
}

func path(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }
