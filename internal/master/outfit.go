package master

import (
	"cmp"
	"os"
	"runtime"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
)

func (m *Master) newCrew(procs processes) *crew {
	c := &crew{
		log:            m.cfg.Log,
		procs:          procs,
		board:          m.tenancy.store,
		closeDoors:     m.closeDoors,
		closeListeners: m.closeListeners,
		fill:           m.fill,
		resize:         m.resizeListeners,
		steer:          m.steer,
		queued:         m.queued,
		socketsOf:      m.socketsOf,
		reopenLogs:     m.reopenAccessLog,
		reconfigure:    m.reconfigure,
		asked:          m.cfg.Workers,
		most:           m.mostWorkers(),
		ready:          m.announce,
		inherits:       m.lender != nil,
		handOver:       m.handOver,
		removeDraft:    func() error { return removeDraft(m.cfg.Region) },
		withheld:       m.withholds(),
		inspect:        m.watchRegion,
		limit:          m.cfg.ShutdownTimeout,
		hangLimit:      m.cfg.HangTimeout,
		service:        m.newService(),
		limits:         m.cfg.limits(),
		signals:        m.signals,
		children:       m.children,
	}
	c.outfit = func(s *seat, id shm.ID) (handoff.Worker, []int) { return m.outfit(s, id, len(c.seats)) }
	c.startHeir = func() (int, heirChannel, error) { return m.startHeir(procs) }
	for i := range m.seats() {
		c.seats = append(c.seats, &seat{number: i, slot: -1})
	}
	return c
}

// mostWorkers is how many there may be over this region.
func (m *Master) mostWorkers() int {
	return min(m.cfg.MaxWorkers, m.tenancy.region.Info().Slots)
}

// outfit is what a worker in the seat is handed, of so many.
func (m *Master) outfit(s *seat, id shm.ID, of int) (handoff.Worker, []int) {
	w := handoff.Worker{
		Wait:            m.withholds(),
		Slot:            id.Slot,
		Generation:      id.Generation,
		AccessLogFD:     handoff.None,
		FastLane:        m.cfg.FastLane,
		Evict:           m.cfg.Evict,
		MaxValue:        m.cfg.MaxValue,
		LogFormat:       m.cfg.LogFormat,
		LogLevel:        m.cfg.LogLevel,
		ShutdownTimeout: m.cfg.ShutdownTimeout,
		Procs:           max(1, runtime.GOMAXPROCS(0)/of),
		SchedPolicy:     string(m.cfg.SchedPolicy),
		MemoryLimit:     memoryShare(m.cfg.MemoryLimit, m.tenancy.region.Info().Size, of),
	}
	if w.CPUs = m.cfg.cpuOf(s); w.CPUs != nil {
		w.Procs = 1
	}
	var descriptors []int
	add := func(fd int) int {
		descriptors = append(descriptors, fd)
		return handoff.FirstFD + len(descriptors) - 1
	}
	w.RegionFD = add(int(m.tenancy.region.File().Fd()))
	if m.accessLog != handoff.None {
		w.AccessLogFD = add(m.accessLog)
		if m.accessLog != unix.Stdout {
			w.AccessLogPath = m.cfg.AccessLog
		}
	}
	for _, l := range m.listeners {
		w.Listeners = append(w.Listeners, handoff.Listener{FD: add(l.FD(s.number)), Network: l.Network(), Addr: l.Addr(), Shared: l.IsShared(), Kept: l.Kept()})
	}
	return w, descriptors
}

// memoryShare is one worker's part of the limit of the whole server, after the
// region and a tenth for what the Go runtime does not count; 0 when there is
// no limit, or no part worth keeping to.
func memoryShare(limit, region int64, workers int) int64 {
	const least = 16 << 20
	share := (limit - region) / 10 * 9 / int64(workers+1) // the master has one, too
	if limit <= 0 || share < least {
		return 0
	}
	return share
}

// seats is how many there are at the start: the sockets that were inherited have
// connections in their queues, and no others are opened before this server is in
// charge, since they would be lost with it.
func (m *Master) seats() int { return cmp.Or(m.inherited, m.cfg.Workers) }

// announce says that every worker serves. From here on there are counts that
// somebody relies on: no failure takes the region back.
func (m *Master) announce() error {
	if m.lender != nil {
		if err := m.takeOver(); err != nil {
			return err
		}
	}
	m.tenancy.restore = nil
	m.filled = filling{}
	var addresses []string
	for _, l := range m.listeners {
		addresses = append(addresses, l.String())
	}
	attrs := []any{"listen", addresses, "workers", m.cfg.Workers, "region", m.cfg.Region, "pid", os.Getpid()}
	if m.cfg.Evict {
		attrs = append(attrs, "evict", "clock") // keys may vanish: whoever reads this log should know
	}
	if m.cfg.Version != "" {
		attrs = append(attrs, "version", m.cfg.Version)
	}
	m.cfg.Log.Info("ready", attrs...)
	return nil
}
