// Package worker is the life of one worker process: it takes over what the
// master hands to it, serves until it is told to stop, drains and leaves.
//
// Signals: TERM drains. USR1 opens the access log anew. QUIT dumps all goroutines and ends, as Go has it. INT,
// HUP and PIPE are ignored: Ctrl-C and the terminal are the master's business.
// The end of the lifeline means that the master is gone: the worker closes the
// door of its listeners itself and drains in less than half a second.
package worker

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/logging"
	"github.com/fondue-server/fondue/internal/shm"
)

// Run serves what the master handed over and returns the exit code of the
// process.
func Run(w handoff.Worker) int {
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	reopen := make(chan os.Signal, 1)
	signal.Notify(reopen, syscall.SIGUSR1)

	ready := os.NewFile(uintptr(w.ReadyFD), "ready pipe")
	level, err := logging.ParseLevel(w.LogLevel)
	if err != nil {
		return refuse(ready, slog.Default(), handoff.ExitCannotBoot, err)
	}
	log, queue, err := logging.NewQueued(os.Stderr, w.LogFormat, level)
	if err != nil {
		return refuse(ready, slog.Default(), handoff.ExitCannotBoot, err)
	}
	flushLimit := time.Second // for each log
	defer func() { queue.Close(flushLimit) }()
	log = log.With("pid", os.Getpid(), "slot", w.Slot)
	procs := max(1, w.Procs)
	if w.FastLane {
		procs++ // the loop never lets its own go
	}
	runtime.GOMAXPROCS(procs)
	if w.MemoryLimit > 0 {
		debug.SetMemoryLimit(w.MemoryLimit)
	}

	region, store, err := attach(w)
	if err != nil {
		code := handoff.ExitCannotBoot
		if errors.Is(err, shm.ErrSlotLost) {
			code = handoff.ExitSlotLost
		}
		return refuse(ready, log, code, err)
	}
	var access *accessLog
	if w.AccessLogFD != handoff.None {
		access = newAccessLog(w.AccessLogFD, os.Getpid(), w.Slot, log)
	}
	commands := command.New(region, store, w.Policy(), os.Getpid())
	s := newServer(commands, store, access, log)
	if w.FastLane {
		if s.lane, err = newLane(s, laneLimits); err != nil {
			return refuse(ready, log, handoff.ExitCannotBoot, err)
		}
	}
	for _, l := range w.Listeners {
		if err := s.inherit(l); err != nil {
			return refuse(ready, log, handoff.ExitCannotBoot, err)
		}
	}

	line, err := watch(w.LifelineFD, s.adopt)
	if err != nil {
		return refuse(ready, log, handoff.ExitCannotBoot, err)
	}
	go follow(access, w.AccessLogPath, reopen, log) // until the process ends
	go s.heart.run(nil)                             // until the process ends: a drain beats too
	go expire(commands, nil)                        // until the process ends
	if !w.Wait {
		s.start()
	}
	store.SetState(shm.StateReady)
	if _, err := (handoff.ReadyMessage{Ready: true}).WriteTo(ready); err != nil {
		log.Warn("the master does not listen", "err", err)
	}
	ready.Close()
	if w.Wait {
		if !mayServe(line, terminate, store) {
			return handoff.ExitOK
		}
		s.start()
	}

	p := pace{window: min(drainWindow, w.ShutdownTimeout/2), timeout: w.ShutdownTimeout}
	code := handoff.ExitOK
	select {
	case <-terminate:
		log.Debug("draining")
	case err := <-s.failed:
		// The master keeps the sockets and starts a successor over them.
		log.Error("cannot serve any longer", "err", err)
		code = handoff.ExitFailure
	case <-line.gone:
		log.Warn("the master is gone, leaving")
		p, flushLimit = quick, 50*time.Millisecond
		if store.OwnerState() == shm.StateReady {
			shutDoors(s.doors, log)
		} // else another master has the same sockets, and its workers accept
	}
	if cut := s.drain(p, line); cut > 0 {
		log.Warn("connections were cut off at the shutdown time-out", "connections", cut)
	}
	if access != nil {
		access.close(flushLimit)
	}
	store.SetCPU(used()) // since the last beat
	// The region stays mapped and the slot held until the process is gone, so
	// that the slot is recovered once, by the master.
	runtime.KeepAlive(region)
	return code
}

// mayServe waits for the master's word. Where it has none and is gone, its workers
// serve what waits if the sockets were its own by then.
func mayServe(line *lifeline, terminate <-chan os.Signal, store *shm.Store) bool {
	select {
	case <-line.serve:
		return true
	case <-line.gone:
		return store.OwnerState() == shm.StateReady
	case <-terminate:
		return false
	}
}

// shutDoors lets no new connection into sockets that nobody will accept from.
func shutDoors(doors []*door, log *slog.Logger) {
	for _, d := range doors {
		if d.kept {
			continue
		}
		if err := d.closeDoor(); err != nil {
			log.Warn("cannot close the door", "addr", d.addr, "err", err)
		}
	}
}

// attach maps the region and takes the worker's slot in it.
func attach(w handoff.Worker) (*shm.Region, *shm.Store, error) {
	region, err := shm.Inherit(os.NewFile(uintptr(w.RegionFD), "region"))
	if err != nil {
		return nil, nil, fmt.Errorf("region: %w", err)
	}
	store, err := region.Attach(w.ID())
	if err != nil {
		return nil, nil, errors.Join(err, region.Close())
	}
	return region, store, nil
}

// refuse tells the master why this worker does not serve.
func refuse(ready *os.File, log *slog.Logger, code int, err error) int {
	if _, sent := (handoff.ReadyMessage{Error: err.Error()}).WriteTo(ready); sent != nil {
		log.Error("cannot start", "err", err)
	}
	ready.Close()
	return code
}

// follow opens the access log anew whenever it is told to.
func follow(access *accessLog, path string, told <-chan os.Signal, log *slog.Logger) {
	for range told {
		if access == nil || path == "" {
			continue
		}
		if err := access.reopen(path); err != nil {
			log.Error("the access log stays where it is", "err", err)
		}
	}
}
