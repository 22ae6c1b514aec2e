package master

import (
	"errors"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/handoff"
	"golang.org/x/sys/unix"
)

// TestSchedPolicyAtTheStart: what the kernel refuses is refused before anything
// is started, and in one's own thread nothing has changed.
func TestSchedPolicyAtTheStart(t *testing.T) {
	t.Parallel()
	for _, p := range []SchedPolicy{"", SchedOther, SchedBatch} {
		onOwnThread(func() {
			before := placed(t)
			if err := p.try(); err != nil || !placed(t).equal(before) {
				t.Errorf("%q: %v, now %+v, before %+v", p, err, placed(t), before)
			}
		})
	}
	onOwnThread(func() {
		if !idleForGood(t) {
			return
		}
		before := placed(t)
		err := SchedBatch.try()
		if !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "--sched-policy batch: sched_setattr") || !placed(t).equal(before) {
			t.Errorf("%v, now %+v, before %+v", err, placed(t), before)
		}
		if err := onThread(changesFor(handoff.Worker{SchedPolicy: "batch"}), func() error { return nil }); !errors.Is(err, unix.EPERM) {
			t.Errorf("a worker: %v", err)
		}
	})
}

// idleForGood gives the calling thread a policy that it has no right to leave.
func idleForGood(t *testing.T) bool {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NICE, &limit); err != nil {
		t.Error(err)
		return false
	}
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		t.Error(err)
		return false
	}
	if limit.Cur >= uint64(20-attr.Nice) {
		t.Log("not tested: this process may have any nice value")
		return false
	}
	attr.Policy = unix.SCHED_IDLE
	if err := unix.SchedSetAttr(0, attr, 0); err != nil {
		t.Error(err)
		return false
	}
	header, none := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
	if err := unix.Capset(&header, &none[0]); err != nil { // of this thread alone
		t.Error(err)
		return false
	}
	return true
}
