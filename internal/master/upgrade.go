package master

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
)

// An upgrade starts the program anew, from the path that it was started by, as
// this master's heir: it has the same sockets and the same region, and starts
// workers beside those that are there. When all of them serve it says so, and
// this master hands over: its workers finish what they have, and it leaves. An
// heir that ends before, or says why it cannot start, changes nothing.
//
// There is one moment at which the listeners change hands: when this master's
// state in the region becomes draining. Whoever dies before or after, the one
// who is in charge then goes on, and no worker closes the other's door.

// upgradeLimit is the time that an heir has to be ready.
const upgradeLimit = 60 * time.Second

// heir is the lender's half of a process that is to take over.
type heir struct {
	pid     int
	channel heirChannel
	began   time.Time
	due     time.Time // when it is killed
	reason  string    // why it will not be ready
	heard   bool      // nothing more will come from the channel
	copies  bool      // it was told that all workers are gone
	handed  bool      // it has taken over
}

// heirChannel is the lender's end of the socket between the two.
type heirChannel interface {
	io.ReadWriteCloser
	// CloseRead lets nobody write to the other end any more. What was written is
	// read before the end of the stream.
	CloseRead() error
}

// heirNews is what came, or did not come, from the channel.
type heirNews struct {
	heir    *heir
	message handoff.ReadyMessage
	err     error
}

// upgrade starts an heir.
func (c *crew) upgrade() {
	if c.stage != running {
		return
	}
	if !c.complete {
		c.log.Warn("upgrade is left out: the server is still starting")
		return
	}
	refuse := func(reason string) {
		c.log.Error("upgrade is refused, this server goes on", "reason", reason)
	}
	// Both masters' workers serve for a while.
	free, err := c.board.Claim(-1)
	if err != nil {
		refuse(err.Error() + "; wait for workers that leave, or make one free with TTOU first")
		return
	}
	c.recover(free)
	pid, channel, err := c.startHeir()
	if err != nil {
		refuse(err.Error())
		return
	}
	if r := c.replacement; r != nil && !r.recycles {
		c.log.Info("the rest of the reload is left to the upgrade", "replaced", r.done)
	}
	c.replacement = nil
	c.log.Info("upgrading: the program is started anew and takes over when it is ready", "pid", pid)
	c.service.reloading()
	now := time.Now()
	h := &heir{pid: pid, channel: channel, began: now, due: now.Add(upgradeLimit)}
	c.heir = h
	// The watcher ends with the message, with the process, or with the master.
	go func() {
		for again := true; again; {
			message, err := handoff.ReadReady(channel)
			again = err == nil && message.Quiesce
			select {
			case c.heirNews <- heirNews{h, message, err}:
			case <-c.done:
				return
			}
		}
	}()
}

// learn keeps why there will be no hand-over, as the heir tells it.
func (h *heir) learn(n heirNews) {
	switch {
	case n.err == nil:
		h.reason = cmp.Or(h.reason, n.message.Error)
	case !errors.Is(n.err, handoff.ErrNoMessage):
		h.reason = cmp.Or(h.reason, n.err.Error())
	}
	h.heard = n.err != nil || !n.message.Quiesce
}

// hearHeir takes what came from the channel.
func (c *crew) hearHeir(n heirNews) {
	h := n.heir
	h.learn(n)
	if n.message.Ready {
		c.reap() // one that has ended since is nobody's successor
	}
	if c.heir != h {
		return // its end was noticed first
	}
	switch {
	case n.err == nil && n.message.Quiesce && c.stage == running && h.reason == "":
		c.quiesce()
		return
	case n.err == nil && n.message.Ready && c.stage == running && h.reason == "":
		c.bequeath(n.message.Dropped)
		return
	case n.err == nil && (n.message.Ready || n.message.Quiesce):
		h.reason = cmp.Or(h.reason, "this server stops")
	}
	// It knows that it was not heard when the channel ends.
	_ = h.channel.Close()
	h.due = time.Now().Add(c.limit + stopGrace)
}

// bequeath leaves everything to the heir. With the hand-over done it is told so;
// should that not reach it, it looks for itself.
func (c *crew) bequeath(dropped []int) {
	h := c.heir
	h.handed = true
	c.log.Info("upgraded: another master serves, and the workers of this one finish what they have", "pid", h.pid, "after", time.Since(h.began).Round(time.Millisecond))
	c.stage, c.killAt = draining, time.Now().Add(c.limit+stopGrace)
	c.handOver(dropped)
	c.service.leave(h.pid)
	if _, err := (handoff.ReadyMessage{Ready: true}).WriteTo(h.channel); err != nil {
		c.log.Warn("the new master does not listen", "pid", h.pid, "reason", err)
	}
	_ = h.channel.Close()
	if c.reopened.After(h.began) {
		c.killHeir(unix.SIGUSR1) // it has opened the logs before they were moved, perhaps
	}
	c.dismissAll()
	c.letGo()
}

// dismissAll tells the workers to leave. One that boots is told when it is ready.
func (c *crew) dismissAll() {
	for _, w := range slices.Clone(c.workers) {
		if w.phase == serving {
			c.dismiss(w)
		}
	}
}

// hearOut waits for the watcher of an heir that has ended to read what it wrote
// before, which is in the channel already. A process that it has left, and that has
// its end of the channel, makes nobody wait.
func (c *crew) hearOut(h *heir) {
	if h.heard {
		return
	}
	if h.channel.CloseRead() != nil {
		_ = h.channel.Close() // ends the watcher, too
	}
	for !h.heard {
		if n := <-c.heirNews; n.heir == h {
			h.learn(n)
		}
	}
}

// heirEnded deals with the end of an heir: everything is as it was.
func (c *crew) heirEnded(e exit) {
	h := c.heir
	c.heir = nil
	c.hearOut(h)
	_ = h.channel.Close()
	if h.handed {
		c.log.Error("the new master has ended", "pid", h.pid, "end", e.String())
		return
	}
	if c.stage == running {
		c.wake()
	}
	// Workers are waited for, and come first.
	if err := c.removeDraft(); err != nil {
		c.log.Error("a file stays that takes up room", "reason", err)
	}
	if c.stage != running {
		return
	}
	c.checkAsked()
	c.service.ready(len(c.seats))
	c.log.Error("upgrade failed, this server goes on", "pid", h.pid, "end", e.String(), "reason", cmp.Or(h.reason, "it ended before it was ready"))
}

// dismissHeir ends an heir that has not taken over.
func (c *crew) dismissHeir(sig unix.Signal) {
	if h := c.heir; h != nil && !h.handed {
		h.reason = "this server stops"
		h.due = c.killAt
		c.killHeir(sig)
	}
}

// overdueHeir ends one that is not ready in time.
func (c *crew) overdueHeir(now time.Time) {
	h := c.heir
	if h == nil || h.handed || h.due.After(now) {
		return
	}
	h.reason = cmp.Or(h.reason, fmt.Sprintf("it was not ready within %v", upgradeLimit))
	h.due = now.Add(time.Hour) // once is enough
	c.killHeir(unix.SIGKILL)
}

func (c *crew) killHeir(sig unix.Signal) {
	if err := c.procs.kill(c.heir.pid, sig); err != nil && !errors.Is(err, unix.ESRCH) {
		c.log.Error("signal to the new master failed", "pid", c.heir.pid, "signal", unix.SignalName(sig), "reason", err)
	}
}

// startHeir starts the program anew with all that an heir needs.
func (m *Master) startHeir(procs processes) (pid int, channel heirChannel, err error) {
	if os.Getpid() == 1 {
		return 0, nil, errors.New("this is process 1, whose end is that of its container; start another container instead")
	}
	id := m.tenancy.store.ID()
	u := handoff.Upgrade{PID: os.Getpid(), Slot: id.Slot, Generation: id.Generation, Instance: m.tenancy.region.Info().Instance}
	var descriptors []int
	for _, l := range m.listeners {
		u.Listeners = append(u.Listeners, l.Hand(func(fd int) int {
			descriptors = append(descriptors, fd)
			return handoff.FirstFD + len(descriptors) - 1
		}))
	}
	return procs.spawnHeir(m.cfg.Command, u, descriptors)
}

// handOver leaves the listeners to an heir, but those that it does not serve.
func (m *Master) handOver(dropped []int) {
	for i, l := range m.listeners {
		if !slices.Contains(dropped, i) {
			l.Lend()
		} else if err := l.CloseDoor(); err != nil {
			m.cfg.Log.Error("a listener could not be closed to new connections", "listen", l.String(), "reason", err)
		}
	}
	// The pid file is the heir's to replace, and to remove.
	m.pidFile.own = nil
	// From here on the heir is in charge.
	m.tenancy.store.SetState(shm.StateDraining)
}
