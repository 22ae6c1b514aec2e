package shm

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// Violation is one place where a region contradicts its own rules.
type Violation struct {
	Shard  int    // -1: not in a shard
	Offset uint64 // from the start of the region
	What   string
}

func (v Violation) String() string {
	if v.Shard < 0 {
		return fmt.Sprintf("offset %d: %s", v.Offset, v.What)
	}
	return fmt.Sprintf("shard %d, offset %d: %s", v.Shard, v.Offset, v.What)
}

// Report is what Check found.
type Report struct {
	Violations []Violation
	// Pending lists shards whose lock is held by a process that is dead, and
	// will be recovered, or is stopped. It is no violation. What they hold was
	// checked, but for what is derived from it: Recover makes that anew.
	Pending []string
	// Busy lists shards that changed faster than they could be read; they
	// were not checked.
	Busy    []int
	Shards  int
	Entries uint64
	Used    uint64 // bytes of the room for keys and values
}

// OK reports that nothing is wrong and nothing was left unchecked.
func (r Report) OK() bool { return len(r.Violations) == 0 && len(r.Busy) == 0 }

func (r *Report) violate(shard int, off uint64, format string, args ...any) {
	r.Violations = append(r.Violations, Violation{Shard: shard, Offset: off, What: fmt.Sprintf(format, args...)})
}

// Check verifies the whole region and never writes to it: every unit in exactly
// one place, every entry under its own hash, counts and checksums right. It may
// run while others write. It shares no code with the operations but the layout,
// so that it does not share their mistakes.
func (r *Region) Check() Report {
	var report Report
	if _, err := validate(r.mem.page(), int64(r.sb.size)); err != nil {
		report.violate(-1, 0, "superblock: %v", err)
	}
	r.checkSlots(&report)
	for _, of := range r.checkShards() {
		report.add(of)
	}
	return report
}

// checkShards verifies the shards, as many at a time as there are processors.
func (r *Region) checkShards() []Report {
	reports := make([]Report, len(r.shards))
	var next atomic.Int64
	var checking sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(r.shards)) {
		checking.Go(func() {
			c := shardCheck{sb: &r.sb, versions: map[uint64]bool{}}
			for i := int(next.Add(1)) - 1; i < len(r.shards); i = int(next.Add(1)) - 1 {
				report := &reports[i]
				report.Shards = 1
				r.checkLock(report, i, r.shards[i].start, &r.shards[i].header.lock)
				if c.take(&r.shards[i]) {
					c.run(report)
				} else {
					report.Busy = []int{i}
				}
			}
		})
	}
	checking.Wait()
	return reports
}

func (r *Report) add(o Report) {
	r.Violations = append(r.Violations, o.Violations...)
	r.Pending = append(r.Pending, o.Pending...)
	r.Busy = append(r.Busy, o.Busy...)
	r.Shards += o.Shards
	r.Entries += o.Entries
	r.Used += o.Used
}

func (r *Region) checkSlots(report *Report) {
	for i := range r.slotCount() {
		rec, off := r.slot(i), r.sb.scoreboard+uint64(i)*slotSize
		_, phase := unpackControl(rec.control.Load())
		if phase > phaseLive {
			report.violate(-1, off, "slot %d is in phase %d, which there is not", i, phase)
		}
		if state := rec.state.Load(); state > uint64(StateDraining) {
			report.violate(-1, off+cacheLine, "slot %d is in state %d, which there is not", i, state)
		}
		if owner := unpackID(rec.owner.Load()); phase != phaseFree &&
			(owner.Slot < int(r.sb.slots) || owner.Slot >= r.slotCount()) {
			report.violate(-1, off+8, "slot %d is owned by slot %d, which is no master's", i, owner.Slot)
		}
	}
}

// checkLock verifies that a lock that is held names a process that holds a
// slot, living or dead: no other is ever recovered, so the lock would be held
// for ever. The process may have let go and left in between; then the lock is
// another's, or free.
func (r *Region) checkLock(report *Report, shard int, off uint64, lock *atomic.Uint32) {
	for {
		held := lock.Load()
		if held == 0 || r.names(held) {
			return
		}
		if lock.Load() == held {
			report.violate(shard, off, "locked by slot %d in a generation that nobody has", slotOf(held))
			return
		}
	}
}

// names says whether the owner in a lock word is the one who has that slot.
func (r *Region) names(held uint32) bool {
	slot := slotOf(held)
	if slot < 0 || slot >= r.slotCount() {
		return false
	}
	gen, phase := unpackControl(r.slot(slot).control.Load())
	return phase != phaseFree && lockOwner(ID{Slot: slot, Generation: gen}) == held&^waiters
}
