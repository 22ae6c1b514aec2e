package master

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/listen"
	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
)

// lender is the heir's half: the master that it takes over from.
type lender struct {
	handoff.Upgrade
	channel net.Conn
	taken   []bool // of Listeners: is served here, too
	// smaller is the region that is handed over, where this server has copied it
	// into a larger one; nil: it serves that region itself.
	smaller *tenancy
}

// openLender makes this process an heir, where it was started as one. An heir
// finds the region as it is: what counts at the first start of a server alone is
// left out.
func (m *Master) openLender() error {
	if m.cfg.Upgrade == nil {
		return nil
	}
	var err error
	if m.lender, err = newLender(*m.cfg.Upgrade); err != nil {
		return err
	}
	m.pidFile.predecessor = m.lender.PID
	return nil
}

func newLender(u handoff.Upgrade) (*lender, error) {
	channel := os.NewFile(uintptr(u.ChannelFD), "upgrade channel")
	conn, err := net.FileConn(channel)
	if err := errors.Join(err, channel.Close()); err != nil {
		return nil, fmt.Errorf("%s: descriptor %d: %w", handoff.UpgradeEnv, u.ChannelFD, err)
	}
	return &lender{Upgrade: u, channel: conn, taken: make([]bool, len(u.Listeners))}, nil
}

// Refuse tells the master that started this process as its heir why it will not
// even run.
func Refuse(u handoff.Upgrade, why error) {
	if l, err := newLender(u); err == nil { // else it hears of the end
		l.refuse(why)
	}
}

// inheritListener takes over the lender's listener for the address; nil where it
// had none.
func (m *Master) inheritListener(spec listen.Spec) (*listen.Listener, error) {
	if m.lender == nil {
		return nil, nil
	}
	i := m.lender.untaken(spec)
	if i < 0 {
		return nil, nil
	}
	l, err := listen.Inherit(m.lender.Listeners[i])
	if err != nil {
		return nil, err
	}
	m.lender.taken[i] = true
	if shared := m.cfg.Accept == listen.Shared; spec.Network == listen.TCP && !l.Kept() && l.IsShared() != shared {
		return nil, errors.Join(valueErrorf("--accept %s: the running server accepts otherwise, which can change at a restart only", m.cfg.Accept), l.Close())
	}
	if !l.IsShared() {
		m.inherited = max(m.inherited, l.Sockets())
	}
	return l, nil
}

// untaken is the place of a listener for the address, -1 for none. Port 0 may be
// given twice, and each is another one.
func (l *lender) untaken(spec listen.Spec) int {
	for i, h := range l.Listeners {
		if h.Spec == spec.String() && !l.taken[i] {
			return i
		}
	}
	return -1
}

// closeUnserved closes the lender's sockets of addresses that this server does not
// serve. They end with the lender, and are free then.
func (m *Master) closeUnserved() error {
	if m.lender == nil {
		return nil
	}
	var all error
	for i, h := range m.lender.Listeners {
		if m.lender.taken[i] {
			continue
		}
		for _, fd := range slices.Concat(h.FDs, h.Spare) {
			all = errors.Join(all, os.NewSyscallError("close", unix.Close(fd)))
		}
	}
	return all
}

// joinLender looks whether the region is the one that is handed over.
func (m *Master) joinLender() error {
	switch {
	case m.lender == nil:
		return nil
	case m.tenancy.region.Info().Instance != m.lender.Instance:
		return valueErrorf("--region %s: it is not the running server's region, which can change at a restart only", m.cfg.Region)
	}
	// Until it takes over, its workers leave the doors alone when it dies.
	m.tenancy.store.SetState(shm.StateStarting)
	return m.growLent()
}

// growLent copies the region that is handed over into a larger one, where that is
// asked for, while the lender's workers are gone. This server's own do not serve
// before the hand-over: until then the lender may go on with the region as it was.
func (m *Master) growLent() error {
	info := m.tenancy.region.Info()
	switch {
	case !m.cfg.wantsMore(info):
		return nil
	case m.shared(m.tenancy):
		m.cfg.Log.Warn("the region keeps its size: other servers share it", "region", info.Path, "size", info.Size, "asked", m.cfg.RegionSize)
		return nil
	}
	// The file is made first: what has no room is refused, and all of it reserved,
	// while the lender's workers serve.
	s := m.settler()
	larger, err := s.larger(m.tenancy)
	if err != nil {
		return err
	}
	if err = m.quietLender(); err == nil {
		err = s.copyInto(larger, m.tenancy)
	}
	if err != nil {
		return errors.Join(err, larger.undo())
	}
	larger.store.SetState(shm.StateStarting)
	m.lender.smaller, m.tenancy = m.tenancy, larger
	m.undo = append(m.undo, m.leaveSmaller)
	return nil
}

// withholds says whether workers have to wait for the hand-over.
func (m *Master) withholds() bool { return m.lender != nil && m.lender.smaller != nil }

func (m *Master) leaveSmaller() error {
	if !m.withholds() {
		return nil
	}
	t := m.lender.smaller
	m.lender.smaller = nil
	return t.leave()
}

// shared reports whether a server shares the lender's region that is neither this
// one nor its lender.
func (m *Master) shared(t *tenancy) bool {
	for _, row := range t.region.Slots() {
		if row.Master && row.ID != m.lender.ID() && row.ID != t.store.ID() {
			return true
		}
	}
	return false
}

// quietLender waits until the lender's workers are gone, or one of the two masters
// is told to stop.
func (m *Master) quietLender() error {
	answer := make(chan error, 1)
	go func() { // ends with the answer, or with the channel
		_, err := handoff.ReadyMessage{Quiesce: true}.WriteTo(m.lender.channel)
		if err == nil {
			_, err = handoff.ReadReady(m.lender.channel)
		}
		answer <- err
	}()
	for {
		select {
		case err := <-answer:
			if err != nil {
				return fmt.Errorf("the master with pid %d stops or is gone, and did not make way: %w", m.lender.PID, err)
			}
			return nil
		case s := <-m.signals:
			if isEnd(s) {
				return errStopped
			}
		}
	}
}

// refuse tells the lender why there will be no heir.
func (l *lender) refuse(err error) {
	if err == nil {
		err = errStopped
	}
	_, _ = handoff.ReadyMessage{Error: err.Error()}.WriteTo(l.channel) // or it hears of the end
	_ = l.channel.Close()
}

// takeOver makes the listeners this server's own, once its workers serve.
func (m *Master) takeOver() error {
	l := m.lender
	message := handoff.ReadyMessage{Ready: true}
	for i, taken := range l.taken {
		if !taken {
			message.Dropped = append(message.Dropped, i)
		}
	}
	if l.smaller != nil && m.shared(l.smaller) {
		return errors.New("another server has joined the region meanwhile; try again")
	}
	_, err := message.WriteTo(l.channel)
	if err == nil {
		// Its loop needs milliseconds. However long it takes, as where it is stopped,
		// this server must not give up: the other could hand over to nobody. It has a
		// limit for its heir, and its death ends the channel.
		_, err = handoff.ReadReady(l.channel)
	}
	lent := m.tenancy
	if l.smaller != nil {
		lent = l.smaller
	}
	if err != nil && lent.store.MasterState(l.ID()) != shm.StateDraining {
		return fmt.Errorf("the master with pid %d stops or is gone, and did not hand over: %w", l.PID, err)
	}
	if l.smaller != nil {
		// What both hold is the same until a worker serves: a death before this
		// leaves the smaller one, with every acknowledged write.
		if err := errors.Join(takePlace(m.cfg.Region), m.leaveSmaller()); err != nil {
			return fmt.Errorf("the larger region cannot take its place: %w", err)
		}
		m.tenancy.restore = nil
	}
	m.tenancy.store.SetState(shm.StateReady)
	for _, own := range m.listeners {
		own.Own()
	}
	_ = l.channel.Close()
	m.lender = nil
	if err := m.pidFile.place(); err != nil {
		m.cfg.Log.Error("the pid file is not this server's", "reason", err)
	}
	return nil
}
