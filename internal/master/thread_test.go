package master

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/handoff"
	"golang.org/x/sys/unix"
)

// placement is where, and how, the calling thread is scheduled.
type placement struct {
	cpus   []int
	policy uint32
	nice   int32
}

func placed(t *testing.T) placement {
	t.Helper()
	cpus, err := UsableCPUs()
	if err != nil || len(cpus) == 0 {
		t.Fatal(cpus, err)
	}
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return placement{cpus, attr.Policy, attr.Nice}
}

func (p placement) equal(other placement) bool {
	return slices.Equal(p.cpus, other.cpus) && p.policy == other.policy && p.nice == other.nice
}

// onOwnThread does something on a thread that ends with it, whatever it was made.
func onOwnThread(do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		do()
	}()
	<-done
}

// TestOnThread: what is started there is as the worker is to be, and nothing else
// keeps it.
func TestOnThread(t *testing.T) {
	t.Parallel()
	onOwnThread(func() { // the calls below are then seen to be of one thread
		// A change of the policy could lose it, and not every user could give it back.
		if err := unix.Setpriority(unix.PRIO_PROCESS, 0, 3); err != nil {
			t.Error(err)
			return
		}
		before, failed := placed(t), errors.New("failed")
		last := before.cpus[len(before.cpus)-1:]
		for _, c := range []struct {
			w    handoff.Worker
			want placement
		}{
			{handoff.Worker{}, before},
			{handoff.Worker{CPUs: last}, placement{last, before.policy, before.nice}},
			{handoff.Worker{SchedPolicy: "batch"}, placement{before.cpus, unix.SCHED_BATCH, before.nice}},
			{handoff.Worker{SchedPolicy: "other"}, placement{before.cpus, unix.SCHED_NORMAL, before.nice}},
			{handoff.Worker{CPUs: last, SchedPolicy: "batch"}, placement{last, unix.SCHED_BATCH, before.nice}},
		} {
			for _, want := range []error{nil, failed} {
				var there placement
				if err := onThread(changesFor(c.w), func() error { there = placed(t); return want }); err != want || !there.equal(c.want) {
					t.Errorf("%+v, %v; want %+v, %v", there, err, c.want, want)
				}
				if now := placed(t); !now.equal(before) {
					t.Errorf("after it %+v, before %+v", now, before)
				}
			}
		}
		started := func() error { t.Error("started"); return nil }
		for want, w := range map[string]handoff.Worker{"1023": {SchedPolicy: "batch", CPUs: []int{1023}}, `"fair"`: {CPUs: last, SchedPolicy: "fair"}} {
			if err := onThread(changesFor(w), started); err == nil || !strings.Contains(err.Error(), want) || !placed(t).equal(before) {
				t.Errorf("what cannot be done: %v, and now %+v", err, placed(t))
			}
		}
	})
}
