package master

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"golang.org/x/sys/unix"
)

// troupe is a theatre whose processes do what they are told, each in its own time.
type troupe struct {
	*theatre
	chance *rand.Rand
	read   int           // of the script
	actors map[int]actor // by pid, of those that live
	heir   int           // pid, 0 for none
	deeds  []string      // what happened, for a failure
	asked  bool          // the heir has asked for the way
}

type actor struct {
	slot  int
	ready bool
	told  []unix.Signal
}

// look takes note of what the crew has done since.
func (a *troupe) look() {
	a.mu.Lock()
	script := slices.Clone(a.script[a.read:])
	a.read = len(a.script)
	a.mu.Unlock()
	a.deeds = append(a.deeds, script...)
	for _, line := range script {
		var slot, pid int
		var generation uint32
		var name string
		switch {
		case scans(line, "spawn %d.%d", &slot, &generation):
			a.mu.Lock()
			pid = a.live[slot]
			a.mu.Unlock()
			if pid != 0 {
				a.actors[pid] = actor{slot: slot}
			}
		case scans(line, "heir %d", &pid):
			a.heir = pid
		case scans(line, "sockets %d", &slot):
			for seat := slot; seat < a.crew.most; seat++ {
				if waiting := a.queuedAt(seat); waiting > 0 {
					a.t.Errorf("%d connections waited at seat %d when its socket was closed", waiting, seat)
				}
			}
		case scans(line, "SIG%s %d", &name, &pid):
			if actor, lives := a.actors[pid]; lives {
				actor.told = append(actor.told, unix.SignalNum("SIG"+name))
				a.actors[pid] = actor
			}
		}
	}
}

func scans(line, format string, into ...any) bool {
	n, err := fmt.Sscanf(line, format, into...)
	return err == nil && n == len(into)
}

// any picks a process that fits, in an order that the seed alone decides.
func (a *troupe) any(fits func(actor) bool) (pid int, found bool) {
	var pids []int
	for pid, actor := range a.actors {
		if fits(actor) {
			pids = append(pids, pid)
		}
	}
	if len(pids) == 0 {
		return 0, false
	}
	slices.Sort(pids)
	return pids[a.chance.IntN(len(pids))], true
}

func (a *troupe) end(pid int, status syscall.WaitStatus) {
	a.deeds = append(a.deeds, fmt.Sprintf("- %d ends: %s", pid, exit{pid, status}))
	slot := a.actors[pid].slot
	delete(a.actors, pid)
	a.mu.Lock()
	delete(a.frozen, slot)
	delete(a.draining, slot)
	a.mu.Unlock()
	a.pipe(pid).Close()
	a.leaves(pid, status)
}

// leaves ends a process; every third is noticed along with the next one.
func (a *troupe) leaves(pid int, status syscall.WaitStatus) {
	a.mu.Lock()
	a.exits = append(a.exits, exit{pid, status})
	a.mu.Unlock()
	if a.chance.IntN(3) > 0 {
		a.ends(0)
	}
}

// obey lets a process do what a signal tells it to.
func (a *troupe) obey(pid int) {
	actor := a.actors[pid]
	switch sig := actor.told[0]; {
	case slices.Contains(actor.told, unix.SIGKILL):
		a.end(pid, killed)
	case a.isFrozen(actor.slot):
	case sig == unix.SIGUSR1 && actor.ready:
		actor.told = actor.told[1:]
		a.actors[pid] = actor
	case sig == unix.SIGTERM && actor.ready:
		a.end(pid, exited(handoff.ExitOK))
	default:
		a.end(pid, syscall.WaitStatus(sig))
	}
}

func (a *troupe) isFrozen(slot int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.frozen[slot]
}

func (a *troupe) becomesReady(pid int) {
	a.deeds = append(a.deeds, fmt.Sprintf("- %d is ready", pid))
	actor := a.actors[pid]
	actor.ready = true
	a.actors[pid] = actor
	a.says(pid, isReady)
}

// What a process may be doing, for any.
func isTold(p actor) bool    { return len(p.told) > 0 }
func isBooting(p actor) bool { return !p.ready }
func isServing(p actor) bool { return p.ready && !isTold(p) }

// act is one event.
func (a *troupe) act() {
	a.look()
	booting, someBoot := a.any(isBooting)
	serving, someServe := a.any(isServing)
	told, someTold := a.any(isTold)
	one, some := a.any(func(actor) bool { return true })
	switch n := a.chance.IntN(21); {
	case n < 3:
		a.pass(time.Duration(a.chance.IntN(3000)) * time.Millisecond)
	case n < 6 && someBoot:
		a.becomesReady(booting)
	case n < 9 && someTold:
		a.obey(told)
	case n == 9 && some:
		a.end(one, killed)
	case n == 10 && some:
		a.end(one, crashed)
	case n == 11 && someBoot && a.chance.IntN(4) == 0:
		a.end(booting, exited(handoff.ExitCannotBoot))
	case n == 12 && someServe: // it hangs
		a.freeze(a.actors[serving].slot, true)
	case n == 13 && someServe: // somebody else has told it to leave
		a.mu.Lock()
		a.draining[a.actors[serving].slot] = true
		a.mu.Unlock()
		p := a.actors[serving]
		p.told = append(p.told, unix.SIGTERM)
		a.actors[serving] = p
	case n == 14 && someServe:
		a.answer(a.actors[serving].slot, 1000)
	case n == 15 && a.heir != 0:
		a.actAsHeir()
	case n == 16:
		a.enqueue(a.chance.IntN(a.crew.sockets(0)), 1)
	case n > 16:
		sig := []unix.Signal{unix.SIGHUP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGUSR1, unix.SIGUSR2}[a.chance.IntN(5)]
		a.deeds = append(a.deeds, "- "+unix.SignalName(sig))
		a.signal(sig)
	}
}

// actAsHeir is what an heir does that will not take over.
func (a *troupe) actAsHeir() {
	if !a.asked && a.chance.IntN(2) == 0 {
		a.asked = true
		a.deeds = append(a.deeds, "- the heir asks for the way")
		a.reports(a.heirs[a.heir], handoff.ReadyMessage{Quiesce: true})
		return
	}
	a.deeds = append(a.deeds, "- the heir ends")
	a.heirs[a.heir].Close()
	delete(a.heirs, a.heir)
	a.leaves(a.heir, exited(1))
	a.heir, a.asked = 0, false
}

// calm lets everything come to its end that was begun.
func (a *troupe) calm() {
	a.mu.Lock()
	clear(a.frozen)
	a.mu.Unlock()
	for range 500 {
		a.ends(0) // whoever was not noticed yet
		if a.look(); a.heir != 0 {
			a.asked = true
			a.actAsHeir()
		}
		for _, s := range a.crew.seats { // those of the others are for somebody to adopt
			a.enqueue(s.number, 0)
		}
		for pid, is := a.any(isTold); is; pid, is = a.any(isTold) {
			a.obey(pid)
			a.look()
		}
		for pid, is := a.any(isBooting); is; pid, is = a.any(isBooting) {
			a.becomesReady(pid)
			a.look()
		}
		a.pass(200 * time.Millisecond)
	}
	a.look()
}
