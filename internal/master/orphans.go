package master

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
)

// Workers leave by themselves when their master is dead. One that is stopped or
// hangs does not: it would keep the address and the region from the next master
// for ever, and nobody is left who would end it.

const (
	// orphanLimit bounds the wait for the workers of a killed master. They leave
	// within a second by themselves; then, once more, for those that were killed.
	orphanLimit = 5 * time.Second
	orphanPause = 20 * time.Millisecond
)

// vigil is one wait for the workers of a dead master.
type vigil struct {
	region string // path
	log    *slog.Logger
	pause  func(time.Duration) error // fails when the master is told to stop

	until  time.Time
	killed bool
}

// wait says whether to look again. why is what keeps the master waiting.
func (v *vigil) wait(why error) (again bool, err error) {
	switch now := time.Now(); {
	case v.until.IsZero():
		v.until = now.Add(orphanLimit)
		v.log.Info("waiting for the workers of an earlier master to leave", "reason", why)
	case now.Before(v.until):
	case v.killed || endOrphans(v.region, v.log) == 0:
		return false, nil
	default:
		v.killed, v.until = true, now.Add(orphanLimit)
	}
	return true, v.pause(orphanPause)
}

// endOrphans kills the workers in a region whose master is dead, and tells how
// many there were. A slot's pid alone proves nothing: the process has to be a
// worker's and to have the region's file mapped.
func endOrphans(path string, log *slog.Logger) (killed int) {
	region, err := shm.OpenReadOnly(path)
	if err != nil {
		return 0
	}
	defer region.Close()
	file, err := region.File().Stat()
	if err != nil {
		return 0
	}
	slots := region.Slots()
	owned := func(id shm.ID) bool {
		return slices.ContainsFunc(slots, func(m shm.SlotInfo) bool {
			return m.Master && m.ID == id && !errors.Is(unix.Kill(m.PID, 0), unix.ESRCH)
		})
	}
	for _, row := range slots {
		if row.Master || !row.Live || owned(row.Owner) || !isWorkerOver(row.PID, file) {
			continue
		}
		log.Warn("worker of a dead master does not leave and is killed", "slot", row.Slot, "generation", row.Generation, "pid", row.PID)
		if err := unix.Kill(row.PID, unix.SIGKILL); err == nil {
			killed++
		}
	}
	return killed
}

// isWorkerOver reports whether a process is a worker that has the file mapped.
func isWorkerOver(pid int, file os.FileInfo) bool {
	dir := "/proc/" + strconv.Itoa(pid)
	name, err := os.ReadFile(dir + "/cmdline")
	st, ok := file.Sys().(*syscall.Stat_t)
	if err != nil || !ok || !strings.HasPrefix(string(name), workerName) {
		return false
	}
	maps, err := os.Open(dir + "/maps")
	if err != nil {
		return false
	}
	defer maps.Close()
	device := fmt.Sprintf("%02x:%02x", unix.Major(uint64(st.Dev)), unix.Minor(uint64(st.Dev)))
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		// address perms offset dev inode pathname
		if f := strings.Fields(lines.Text()); len(f) > 4 && f[3] == device && f[4] == strconv.FormatUint(st.Ino, 10) {
			return true
		}
	}
	return false
}
